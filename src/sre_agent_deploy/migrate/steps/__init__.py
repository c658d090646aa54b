"""One file per format that was: `from_1.py` takes a text of version 1 to version 2. Add a step: write its file, list it here."""

from __future__ import annotations

from sre_agent_deploy.migrate.step import Step

STEPS: tuple[Step, ...] = ()
