"""OpenID Connect discovery: the source of issuer, token endpoint and keys."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import httpx2

from sre_agent.transport import is_certificate_error, name_hop
from sre_core.problem import Problem, Refused


@dataclass(frozen=True)
class Issuer:
    """The parts of a discovery document that this package uses."""

    issuer: str
    token_endpoint: str
    jwks_uri: str


class Discovery:
    """Reads the discovery document once, also for concurrent callers."""

    def __init__(self, http: httpx2.AsyncClient, url: str) -> None:
        self._http = http
        self._url = url
        self._issuer: Issuer | None = None
        self._lock = asyncio.Lock()

    async def issuer(self) -> Issuer:
        """Return the issuer. Raises Refused when its document can't be read."""
        async with self._lock:
            if self._issuer is None:
                self._issuer = await self._fetch()
            return self._issuer

    async def _fetch(self) -> Issuer:
        try:
            response = await self._http.get(self._url, auth=None)
            response.raise_for_status()
            document = response.json()
            return Issuer(
                issuer=str(document["issuer"]),
                token_endpoint=str(document.get("token_endpoint", "")),
                jwks_uri=str(document.get("jwks_uri", "")),
            )
        except httpx2.HTTPError as error:
            raise Refused(unreachable_problem(self._url, error)) from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Refused(_not_discovery(self._url)) from error


def unreachable_problem(url: str, error: httpx2.HTTPError) -> Problem:
    """Describe an issuer that did not answer, or not with a trusted certificate."""
    if is_certificate_error(error):
        return Problem(
            code="OIDC-TLS-NOT-VERIFIED",
            what=f"The certificate of {url} is not trusted.",
            why=str(error),
            do=(
                "Set SSL_CERT_FILE, or ca_file in the connection file, to the authority that signed it.",
                "Never turn verification off: secrets are sent there.",
            ),
            context=name_hop(error),
        )
    return Problem(
        code="OIDC-UNREACHABLE",
        what=f"The token issuer at {url} did not answer as expected.",
        why=str(error) or type(error).__name__,
        do=("Check that the deployment runs: sre-agent-deploy status", f"Try the address from this machine: curl -sv {url}"),
        context=name_hop(error),
    )


def _not_discovery(url: str) -> Problem:
    return Problem(
        code="OIDC-NOT-A-DISCOVERY-DOCUMENT",
        what=f"{url} is not an OpenID Connect discovery document.",
        why="It is not JSON with an `issuer`.",
        do=("Set OIDC_DISCOVERY_URL to <issuer>/.well-known/openid-configuration of the user pool.",),
    )
