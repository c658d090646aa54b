"""`make bench`: every budget that is measured, as a ratio against a named peer in the same run."""

from __future__ import annotations

import sys

from bench import apply, cli, load, sources

PARTS = (cli, load, sources, apply)


def main() -> int:
    """Print one line for each budget; 1 where one is exceeded."""
    measured = [line for part in PARTS for line in part.measure()]
    for line in measured:
        print(line)
    return 0 if all(line.ratio <= line.budget for line in measured) else 1


if __name__ == "__main__":
    sys.exit(main())
