"""A venue of the tests' own, so that hosts are tested apart from the real ones."""
