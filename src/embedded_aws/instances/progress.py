"""Report how far a boot has come, as small objects in S3 that the deployer reads."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from embedded_aws.world import NotAuthorized, World
from sre_core import clock, log
from sre_core.secret import Secret, conceal


class StepFailed(Exception):
    """The failure of a step: one sentence for the user, and the last output of the failed program."""

    def __init__(self, what: str, output: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.output = output


_LONGEST_OUTPUT = 4000


@dataclass
class Facts:
    """Values that a step adds to its status object."""

    values: dict[str, object] = field(default_factory=dict)


class Progress:
    """Writes `<status uri><step>.json` when a step starts, ends and fails, without secrets."""

    def __init__(self, world: World, status_uri: str) -> None:
        self._world = world
        self._status_uri = status_uri
        self._secrets: tuple[Secret, ...] = ()
        self._log = log.get(status_uri=status_uri)

    def conceal(self, secrets: Sequence[Secret]) -> None:
        """Remove these values from everything that is written from now on."""
        self._secrets = (*self._secrets, *secrets)

    @contextmanager
    def step(self, name: str) -> Iterator[Facts]:
        """Report that the step runs, and how it ended. Exceptions are raised again."""
        self._write(name, "running")
        facts = Facts()
        try:
            yield facts
        except StepFailed as failed:
            self._write(name, "failed", failed.what, failed.output)
            raise
        except NotAuthorized as denied:
            self._write(name, "failed", str(denied))
            raise StepFailed(str(denied)) from denied
        except Exception as unexpected:
            # A fault of ours is reported too: the deployer would wait for this step in vain.
            self._write(name, "failed", f"The host could not finish this step: {type(unexpected).__name__}: {unexpected}")
            raise
        self._write(name, "ok", facts=facts.values)

    def _write(self, step: str, state: str, what: str = "", output: str = "", facts: Mapping[str, object] | None = None) -> None:
        status = {
            "step": step,
            "state": state,
            "time": clock.stamp(),
            "what": conceal(what, self._secrets),
            "output": conceal(output, self._secrets)[-_LONGEST_OUTPUT:],
            **(facts or {}),
        }
        self._log.info("instance.step", step=step, state=state, what=status["what"])
        try:
            self._world.put_s3_object(f"{self._status_uri}{step}.json", json.dumps(status, indent=1).encode())
        except KeyError:
            self._log.warning("instance.status_not_written", step=step, because="the status bucket does not exist")
        except NotAuthorized as denied:
            self._log.warning("instance.status_not_written", step=step, because=str(denied))
