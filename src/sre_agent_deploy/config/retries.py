"""How patient a deployment is with AWS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from sre_agent_deploy.config import duration
from sre_agent_deploy.config.fault import Fault, Mode
from sre_agent_deploy.config.section import Section, described
from sre_agent_deploy.config.syntax_of_values import DURATION
from sre_agent_deploy.progress.limits import Patience


class RetriesConfig(Section):
    """How long a call is repeated after each kind of error, with waits that grow and differ; and how long anything is waited for."""

    throttled: str = described("3m", "While AWS throttles the call.", example="10m")
    transient: str = described("30s", "While AWS has an error of its own, or can't be reached.", example="2m")
    propagating: str = described("2m", "While AWS has not spread a new IAM role to all of its services.", example="5m")
    ready: str = described("15m", "Until a resource works, or until what was deleted is gone.", example="30m")

    def faults(self, mode: Mode) -> Iterator[Fault]:
        """Lengths of time."""
        for field, usual in type(self).model_fields.items():
            yield from replace(DURATION, example=str(usual.default)).faults(field, getattr(self, field))

    def patience(self) -> Patience:
        """The same as lengths of time; what is left empty is as usual."""
        usual = Patience()
        return Patience(
            throttled=duration.parsed(self.throttled) or usual.throttled,
            transient=duration.parsed(self.transient) or usual.transient,
            propagating=duration.parsed(self.propagating) or usual.propagating,
            ready=duration.parsed(self.ready) or usual.ready,
        )
