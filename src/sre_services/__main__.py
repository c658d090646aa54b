"""`python -m sre_services kubernetes|logs|metrics|runbooks --socket PATH`, and the generators of what is committed."""

from __future__ import annotations

import sys

from sre_services.cli import main

if __name__ == "__main__":
    sys.exit(main())
