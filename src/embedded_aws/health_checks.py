"""Ask what the health checks of Route 53 ask, and report it to CloudWatch; moto keeps both and does neither.

https://docs.aws.amazon.com/Route53/latest/DeveloperGuide/dns-failover-determining-health-of-endpoints.html
"""

from __future__ import annotations

import asyncio
import ssl
from dataclasses import dataclass
from datetime import datetime, timedelta

from embedded_aws import moto_state
from embedded_aws.moto_state import HealthCheck
from embedded_aws.world import World
from sre_core import clock

EVERY = 2.0
"""About sixteen checkers, each of which asks every 30 seconds, ask an endpoint every two seconds."""
_REPORT_EVERY = timedelta(seconds=30)
# The limits of AWS for the connection and for the answer.
_CONNECTED_WITHIN, _ANSWERED_WITHIN = 4.0, 2.0
_AGENT = "Amazon-Route53-Health-Check-Service"


@dataclass(frozen=True)
class Health:
    """The state of one endpoint, and how often it answered the same in a row: enough equal answers change the state."""

    answers: bool = True
    in_a_row: int = 0
    healthy: bool | None = None
    reported_at: datetime | None = None

    def add(self, answers: bool, threshold: int) -> Health:
        """Return the health after one more answer."""
        in_a_row = self.in_a_row + 1 if answers == self.answers else 1
        healthy = answers if in_a_row >= threshold else self.healthy
        # A state is reported when it changes, and again while it stays.
        return Health(answers, in_a_row, healthy, self.reported_at if healthy == self.healthy else None)


class HealthCheckers:
    """Asks each endpoint as a client outside does."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._health: dict[str, Health] = {}

    async def run(self) -> None:
        """Ask until the task is cancelled."""
        while True:
            await self.ask_all()
            await asyncio.sleep(EVERY)

    async def ask_all(self) -> None:
        """Ask each endpoint once, and report what is known."""
        checks = [check for check in moto_state.health_checks(self._world.account_id) if not check.disabled]
        self._health = {check.id: self._health.get(check.id, Health()) for check in checks}
        await asyncio.gather(*map(self._ask, checks))

    async def _ask(self, check: HealthCheck) -> None:
        said = await ask_endpoint(self._world, check)
        answers = said.startswith("Success")
        health = self._health[check.id].add(answers, check.threshold)
        now = clock.now()
        due = health.healthy is not None and (health.reported_at is None or now - health.reported_at >= _REPORT_EVERY)
        self._health[check.id] = Health(health.answers, health.in_a_row, health.healthy, now if due else health.reported_at)
        healthy = bool(health.healthy) != check.inverted if due else None
        moto_state.report_health(self._world.account_id, check.id, said, healthy)


async def ask_endpoint(world: World, check: HealthCheck) -> str:
    """Ask one endpoint, and return what Route 53 says of its answer. Certificates are not judged, as on AWS."""
    address = check.address or world.resolve(check.domain)
    if address is None:
        return "Failure: DNS resolution failed: no A record"
    if not world.owned_address(address):
        return f"Failure: the local AWS asks its own machines alone, and {address} is none"
    try:
        status = await _read_status(check, address)
    except TimeoutError:
        return "Failure: The endpoint did not answer in time."
    except (OSError, ValueError) as failure:
        return f"Failure: {type(failure).__name__}"
    return f"{'Success' if 200 <= status < 400 else 'Failure'}: HTTP Status Code {status}. Resolved IP: {address}"


async def _read_status(check: HealthCheck, address: str) -> int:
    tls = _tls() if check.secure else None
    # An empty name sends none.
    named = {"server_hostname": check.domain if check.sends_name else ""} if tls else {}
    async with asyncio.timeout(_CONNECTED_WITHIN):
        reader, writer = await asyncio.open_connection(address, check.port, ssl=tls, **named)  # type: ignore[arg-type]  # its stubs want one kind
    try:
        host = check.domain or address
        head = f"GET {check.path} HTTP/1.1\r\nHost: {host if check.port == 443 else f'{host}:{check.port}'}\r\n"
        writer.write(f"{head}User-Agent: {_AGENT}\r\nAccept: */*\r\nConnection: close\r\n\r\n".encode())
        async with asyncio.timeout(_ANSWERED_WITHIN):
            line = (await reader.readline()).decode("latin-1")
        return int(line.split(" ")[1]) if line.startswith("HTTP/") else 0
    finally:
        writer.close()


def _tls() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    # Route 53 has no newer one.
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context
