"""See the package."""

import sys

from perpwire.scenarios.runner import main

if __name__ == "__main__":
    sys.exit(main())
