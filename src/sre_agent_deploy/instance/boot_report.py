"""How far a boot has come, as small objects in S3 that the deployer reads."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sre_agent_deploy.instance.commands import AwsCli, StepFailed
from sre_core import clock
from sre_core.secret import Secret, conceal

_LONGEST_OUTPUT = 4000


class BootReport:
    """Writes `<status uri><step>.json` when a step starts, ends and fails; no secret passes through."""

    def __init__(self, aws: AwsCli, status_uri: str) -> None:
        self._aws = aws
        self._status_uri = status_uri
        self._secrets: tuple[Secret, ...] = ()

    def conceal(self, *secrets: str) -> None:
        """From now on these values, and the lines of longer ones, are removed from whatever is written."""
        self._secrets = (*self._secrets, *map(Secret, secrets))

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, object]]:
        """Say that the step runs, and how it ended; what the body puts into the dictionary is added. Failures travel on."""
        self._write(name, "running")
        facts: dict[str, object] = {}
        try:
            yield facts
        except StepFailed as failed:
            self._write(name, "failed", failed.what, failed.output)
            raise
        except Exception as unexpected:
            self._write(name, "failed", f"The bootstrap could not finish this step: {type(unexpected).__name__}: {unexpected}")
            raise
        self._write(name, "ok", facts=facts)

    def _write(self, step: str, state: str, what: str = "", output: str = "", facts: Mapping[str, object] | None = None) -> None:
        status = {"step": step, "state": state, "time": clock.stamp(), "what": conceal(what, self._secrets)}
        status["output"] = conceal(output, self._secrets)[-_LONGEST_OUTPUT:]
        print(json.dumps(status), file=sys.stderr, flush=True)
        self._aws.put_object(f"{self._status_uri}{step}.json", json.dumps({**status, **(facts or {})}))
