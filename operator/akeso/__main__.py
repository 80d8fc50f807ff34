"""`python -m akeso`."""

from __future__ import annotations

import sys

from akeso.cli import main

if __name__ == "__main__":
    sys.exit(main())
