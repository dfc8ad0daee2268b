# One command from a fresh clone: `make demo` or `make test`. Both need Python 3.11 or newer, make, and a package index.

PYTHON ?= python3
PYTHON313 ?= python3.13
UV ?= uv
JOBS ?= 2
TEST_JOBS ?= 5
VENV := .venv
VENV313 := .venv-313
BIN := $(VENV)/bin
# Tests start many Pythons, and each would compile all of perpwire anew.
unexport PYTHONDONTWRITEBYTECODE
STAMP := .installed

SEEDS ?= 200
KILLS ?= 500

.PHONY: demo test test-313 compile chaos lint format bench lock install clean help

help:
	@echo "make demo      run the demonstration: embedded exchange, connectors, faults, report"
	@echo "make test      run all tests"
	@echo "make test-313  run all tests on $(PYTHON313)"
	@echo "make chaos     play every scenario for SEEDS=200 seeds in virtual time (for 40 minutes; all of them take hours: ARGS='--minutes 600'), kill a trading process 500 times, and play the criteria in full"
	@echo "make lint      check formatting, lint rules and types"
	@echo "make format    format the code"
	@echo "make bench     run the benchmarks"
	@echo "make lock      write requirements.lock anew (needs uv); UPGRADE=--upgrade takes the newest versions"

demo: $(VENV)/$(STAMP)
	$(BIN)/perpwire demo

# Five workers on two cores: tests over real sockets, in terminals and in the browser wait much of their time.
# -v undoes the -q of pyproject.toml: the closing line in full. Whole files go to a worker, so module fixtures hold, and
# in the order of tests/conftest.py.
test: $(VENV)/$(STAMP)
	$(BIN)/python -m pytest -v -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

test-313: $(VENV313)/$(STAMP)
	$(VENV313)/bin/python -m pytest -v -n $(TEST_JOBS) --dist loadfile --no-loadscope-reorder $(ARGS)

# Collecting imports all tests; each worker of a first `make test` would compile them for itself. That one says what fails.
compile: $(VENV)/$(STAMP)
	-@$(BIN)/python -m pytest --collect-only -qq >/dev/null

chaos: $(VENV)/$(STAMP)
	$(BIN)/python -m perpwire.scenarios --seeds $(SEEDS) --jobs $(JOBS) $(ARGS)
	$(BIN)/python -m perpwire.scenarios.kill --kills $(KILLS)
	PERPWIRE_FULL=1 $(BIN)/python -m pytest -v -n $(JOBS) --dist loadfile tests/criteria tests/api_connector tests/scenarios tests/e2e tests/cli tests/test_benchmarks.py

lint: $(VENV)/$(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(VENV)/$(STAMP)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(VENV)/$(STAMP)
	@set -e; for file in benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file"; done

install: $(VENV)/$(STAMP)

# Exactly the locked files, checked by hash; then the package itself, for which nothing is resolved or fetched. What is
# never imported, most of ccxt, is not compiled.
define install_into
	@$(2) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "make: $(2) is older than Python 3.11 or does not run; set another one: make PYTHON=python3.12"; exit 1; }
	@$(1)/bin/python -m pip --version >/dev/null 2>&1 || $(2) -m venv --clear $(1) \
	  || { echo "make: $(2) can't make virtual environments (Debian: apt-get install python3-venv)"; exit 1; }
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r requirements.lock
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(1)/$(STAMP)
endef

$(VENV)/$(STAMP): requirements.lock pyproject.toml
	$(call install_into,$(VENV),$(PYTHON))

$(VENV313)/$(STAMP): requirements.lock pyproject.toml
	$(call install_into,$(VENV313),$(PYTHON313))

# No index address gets into the file.
lock:
	@command -v $(UV) >/dev/null || { echo "make: no uv here: pip install uv"; exit 1; }
	$(UV) --no-config pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes \
	  --extra all --group dev \
	  --no-emit-index-url --no-emit-find-links --custom-compile-command "make lock" --quiet $(UPGRADE) \
	  --output-file requirements.lock

clean:
	rm -rf $(VENV) $(VENV313) .mypy_cache .pytest_cache .ruff_cache .hypothesis
