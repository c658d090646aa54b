"""Nothing is served without TLS."""

from __future__ import annotations

from typing import ClassVar

from sre_agent_deploy.checks.after.deployed import Answer, Deployed
from sre_agent_deploy.checks.check import Verdict
from sre_core.problem import Problem


class PlainHttpRefused:
    """Plain HTTP spoken to the HTTPS port gets no answer from a service: an error at most, never content."""

    id: ClassVar[str] = "endpoint.plain_http"
    proves: ClassVar[str] = "plain HTTP is refused"
    requirements: ClassVar[tuple[str, ...]] = ("1.3", "2.1")
    required: ClassVar[bool] = True

    def probe(self, world: Deployed) -> Answer | Problem:
        authority = world.base_url.removeprefix("https://")
        url = f"http://{authority if ':' in authority else f'{authority}:443'}/ping"
        answer = world.http("GET", url)
        if not isinstance(answer, Problem):
            return answer
        # A connection that is simply closed is the best answer there is; one that can't be made is none.
        return world.unconnected(url) or Answer(0, b"", {})

    def judge(self, facts: Answer) -> Verdict:
        if facts.status == 0:
            return Verdict(True, "plain HTTP gets no answer")
        if 300 <= facts.status < 500:
            return Verdict(True, f"plain HTTP is answered {facts.status}")
        return Verdict(False, f"plain HTTP was answered {facts.status}", _served(facts.status))


def _served(status: int) -> Problem:
    return Problem(
        code="ENDPOINT-PLAIN-HTTP",
        what=f"A request without TLS was answered {status}.",
        why="The front door listens without TLS on a port that must have it.",
        do=("Run `sre-agent-deploy deploy` again; if it stays, close port 443 in the security group and report it.",),
    )
