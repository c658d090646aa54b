"""How a step of a boot ends when it can't go on."""

from __future__ import annotations


class StepFailed(Exception):
    """One sentence for the person who deploys, and the end of the failing program's output where there is one."""

    def __init__(self, what: str, output: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.output = output
