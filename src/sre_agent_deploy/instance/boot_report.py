"""Report the progress of a boot as small objects in S3, which the deployer reads."""

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
    """Writes `<status uri><step>.json` when a step starts, ends or fails, without secrets."""

    def __init__(self, aws: AwsCli, status_uri: str) -> None:
        self._aws = aws
        self._status_uri = status_uri
        self._secrets: tuple[Secret, ...] = ()

    def conceal(self, *secrets: str) -> None:
        """Remove these values, and each line of a longer one, from everything that is written from now on."""
        self._secrets = (*self._secrets, *map(Secret, secrets))

    @contextmanager
    def step(self, name: str) -> Iterator[dict[str, object]]:
        """Report that the step runs and how it ends, with the facts that the body adds. Failures are raised again."""
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
