"""Write the golden files of wire requests anew, and their digests into CHANGELOG.md: `python -m tests.golden.write`.

Whoever needs this has changed what an intent sends: docs/compatibility.md says what that means for the version. Say in
CHANGELOG.md what has changed, and why.
"""

from __future__ import annotations

from tests.golden.recording import CHANGELOG, DIGESTS, VENUES, digests, path, record, text


def main() -> None:
    for venue in VENUES:
        golden = record(venue)
        path(venue).write_text(text(golden), encoding="utf-8")
        print(f"{path(venue).name}: {len(golden)} intents")
    page = CHANGELOG.read_text(encoding="utf-8")
    CHANGELOG.write_text(DIGESTS.sub(digests(), page, count=1), encoding="utf-8")


if __name__ == "__main__":
    main()
