"""How long people wait for help and for validation, against `aws --version`."""

from __future__ import annotations

import sys
from pathlib import Path

from bench.measure import Measured, medians

BIN = Path(sys.executable).parent
EXAMPLES = Path(__file__).parents[1] / "examples"
PEER = "aws --version"

BUDGETS = {
    "sre-agent-deploy --help": 0.5,
    "sre-agent --help": 0.5,
    f"sre-agent-deploy --validate-only --config {EXAMPLES / 'local.yaml'}": 1.2,
}


def measure() -> list[Measured]:
    """Each command of the budget table in one interleaved run."""
    program = [[str(BIN / word) if at == 0 else word for at, word in enumerate(command.split())] for command in (PEER, *BUDGETS)]
    peer, *ours = medians(program)
    return [
        Measured(command.replace(f"{EXAMPLES}/", ""), seconds, PEER, peer, budget)
        for (command, budget), seconds in zip(BUDGETS.items(), ours, strict=True)
    ]
