"""`make bench`: every budget that is measured, as a ratio against a named peer in the same run; `python -m bench sources` is one part."""

from __future__ import annotations

import sys

from bench import apply, cli, load, sources

PARTS = {"cli": cli, "load": load, "sources": sources, "apply": apply}


def main() -> int:
    """Print one line for each budget, of all parts or of those that are named; 1 where one is exceeded."""
    measured = [line for name in sys.argv[1:] or PARTS for line in PARTS[name].measure()]
    for line in measured:
        print(line)
    return 0 if all(line.ratio <= line.budget for line in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
