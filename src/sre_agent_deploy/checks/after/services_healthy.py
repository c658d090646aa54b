"""Each service answers over verified TLS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sre_agent_deploy.checks.after.deployed import Answer, Deployed
from sre_agent_deploy.checks.check import Verdict
from sre_core import release
from sre_core.problem import Problem


@dataclass(frozen=True)
class ServiceHealthy:
    """The health path of one service answers 200 through the front door, with a certificate that holds."""

    service: release.Service

    requirements: ClassVar[tuple[str, ...]] = ("1.2", "1.3", "2.1", "4.3")
    required: ClassVar[bool] = True

    @property
    def id(self) -> str:
        return f"service.{self.service.name}"

    @property
    def proves(self) -> str:
        return f"{self.service.name} is healthy over HTTPS"

    def probe(self, world: Deployed) -> Answer | Problem:
        return world.http("GET", world.base_url + self.service.route.rstrip("/") + self.service.health_path)

    def judge(self, facts: Answer) -> Verdict:
        if facts.status == 200:
            return Verdict(True, f"{self.service.name} is healthy over HTTPS")
        return Verdict(False, f"{self.service.name} answered {facts.status}", self._ill(facts))

    def _ill(self, facts: Answer) -> Problem:
        return Problem(
            code="SERVICE-UNHEALTHY",
            what=f"The {self.service.name} service answered {facts.status} at its health path.",
            why=facts.body[:300].decode(errors="replace") or "The answer was empty.",
            do=(
                f"Read its log on the instance with Session Manager: `journalctl -u sre-agent-{self.service.name}`.",
                "Run `sre-agent-deploy verify` again.",
            ),
        )


def every_service() -> tuple[ServiceHealthy, ...]:
    return tuple(map(ServiceHealthy, release.services()))
