"""Runs once on a new machine, out of its release (standard library only)."""

import sys

if __name__ == "__main__":
    sys.exit("SRE-BOOTSTRAP-NOT-YET: this release can't set up a real machine yet; use --mode local.")
