"""The client of the verification checks: a deployment as its users reach it, by addresses, OAuth clients and trusted certificates."""

from __future__ import annotations

import json
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from sre_core.problem import Problem
from sre_core.secret import Secret

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse, HTTPConnectionPool

    from sre_agent_deploy.checks.verification.traces import TraceReader


_LONGEST_BODY = 1_000_000
_READING = threading.Lock()


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: status, body (at most 1 MB), headers with lower-case names."""

    status: int
    body: bytes
    headers: Mapping[str, str]

    def json(self) -> object:
        """Parse the body as JSON; None where it is not."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None


@dataclass(frozen=True)
class Client:
    """One app client of the user pool."""

    id: str
    secret: Secret
    scope: str


@dataclass
class _Question:
    """A question to the deployment, how often it was asked, and its last answer."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    times: int = 0
    answer: Any = None


@dataclass(frozen=True)
class Endpoints:
    """The addresses of a deployment. It connects to `public_ip`, and checks the certificate against the host of `base_url`."""

    base_url: str
    public_ip: str
    gateway_url: str
    discovery_url: str
    gateway_client: Client
    caller_client: Client
    ca_files: tuple[str, ...] = ()
    timeout: float = 15.0
    service_logs: str = ""
    """The folder of the services' logs on this machine, as a pattern for the shell; empty where they run on an EC2 instance."""
    runtime_url: str = ""
    """Where the assistant is asked if it runs on AgentCore Runtime; empty if it runs on the instance."""
    custom_domain: str = ""
    """The user pool's own name, where it has one beside its prefix; `cloudfront_domain` is what its DNS record must lead to."""
    cloudfront_domain: str = ""
    prefix_token_endpoint: str = ""
    """The token endpoint at the prefix, for as long as the custom domain can't be reached; empty where there is no such domain."""
    public_names: bool = True
    """False where the names of the deployment are known to an AWS that is not Amazon's, and to no public DNS."""
    certificate_source: str = ""
    """`tls.source`: of a certificate that the machine orders, a warning waits until the machine had time for it."""
    ipv6_address: str = ""
    """The address to which the AAAA record leads; empty where there is none."""
    traces: TraceReader | None = None
    """Where the traces of questions can be read; None where that is not X-Ray."""
    _asked: dict[str, _Question] = field(default_factory=dict, repr=False, compare=False)

    @property
    def invocations_url(self) -> str:
        """Return where the assistant is asked."""
        return self.runtime_url or f"{self.base_url}/invocations"

    @property
    def assistant_url(self) -> str:
        """Return the assistant's address for people."""
        return self.runtime_url.partition("/invocations")[0] or self.base_url

    @property
    def trace_headers(self) -> dict[str, str]:
        """Return the header that makes the question of the checks a part of a trace that they know; none where they can't read it."""
        return {"traceparent": f"00-{self.traces.trace_id}-{self.traces.span_id}-01"} if self.traces else {}

    def ask_once[T](self, question: str, ask: Callable[[], T], *, repeat: bool = False) -> T:
        """Return the answer to a question that several checks have; the first one asks, and the others wait for its answer.

        With `repeat` a question that a Problem answered is asked again by those who come later.
        """
        with _READING:
            asked = self._asked.setdefault(question, _Question())
        before = asked.times
        with asked.lock:
            if asked.times == before and (not before or (repeat and isinstance(asked.answer, Problem))):
                asked.answer, asked.times = ask(), before + 1
            answer: T = asked.answer
            return answer

    def explain(self, url: str, error: Exception) -> Problem:
        """Explain why a request got no answer; the context names the part of the deployment."""
        return unreachable(url, error).with_context(part=self._part_of(url))

    def _part_of(self, url: str) -> str:
        if urlsplit(url).netloc == urlsplit(self.base_url).netloc:
            return "front door"
        if url == self.runtime_url:
            return "assistant"
        return "gateway" if url == self.gateway_url else "login"

    def log_command(self, service: str) -> str:
        """Say how to read the log of a service where it runs."""
        if service == "assistant" and self.runtime_url:
            return self._runtime_log_command()
        if self.service_logs:
            return f"Read its log: `cat {self.service_logs}/{service}.log`."
        return f"Read its log on the instance (`aws ssm start-session --target INSTANCE-ID`): `journalctl -u sre-agent-{service}`."

    def _runtime_log_command(self) -> str:
        if self.service_logs:
            return f"Read its log: `cat {Path(self.service_logs).parents[2]}/runtimes/*/logs/runtime.log`."
        return "Read its log: CloudWatch > Log groups > /aws/bedrock-agentcore/runtimes/ (the newest stream)."

    @property
    def trust(self) -> ssl.SSLContext:
        """Trust the system's certificate authorities and the private ones of this deployment; read once for all checks."""
        return self.ask_once(f"trust in {self.ca_files}", self._load_trust)

    def _load_trust(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        for file in self.ca_files:
            context.load_verify_locations(file)
        return context

    def http(self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes | None = None) -> Answer | Problem:
        """Send one request, without retry and without following redirects. A Problem names the hop that failed."""
        import urllib3

        parts = urlsplit(url)
        try:
            with self._pool(parts.scheme, parts.hostname or "", parts.port) as pool:
                answer = pool.urlopen(
                    method,
                    (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
                    body=body,
                    headers={"Host": parts.netloc, **(headers or {})},
                    redirect=False,
                    retries=False,
                    timeout=urllib3.Timeout(self.timeout),
                    preload_content=False,
                )
                return _answer(answer)
        except urllib3.exceptions.HTTPError as error:
            return self.explain(url, error)

    def explain_no_connection(self, url: str) -> Problem | None:
        """Explain why no connection to the host and port of this URL can be made; None where one can."""
        parts = urlsplit(url)
        try:
            socket.create_connection((self._address(parts.hostname or ""), parts.port or 0), self.timeout).close()
        except OSError as error:
            return self.explain(url, error)
        return None

    def _address(self, host: str) -> str:
        """Return the known address of our domain, and any other host as it is: DNS has a check of its own."""
        return self.public_ip if host == urlsplit(self.base_url).hostname else host

    def _pool(self, scheme: str, host: str, port: int | None) -> HTTPConnectionPool:
        import urllib3

        address = self._address(host)
        if scheme == "http":
            return urllib3.HTTPConnectionPool(address, port or 80)
        return urllib3.HTTPSConnectionPool(address, port or 443, ssl_context=self.trust, server_hostname=host, assert_hostname=host)


def _answer(answer: BaseHTTPResponse) -> Answer:
    # A body may have no end, so only as much is read as is used.
    body = answer.read(_LONGEST_BODY)
    answer.close()
    return Answer(answer.status, body, {key.lower(): value for key, value in answer.headers.items()})


def unreachable(url: str, error: Exception) -> Problem:
    """Explain why a request got no answer, and what to check (requirement 5.3)."""
    from urllib3 import exceptions

    host = urlsplit(url).netloc
    # urllib3 keeps the cause as `reason`; in an ssl.SSLError that is a text of OpenSSL.
    reason = getattr(error, "reason", None)
    cause = reason if isinstance(reason, Exception) else error
    # A peer that closes the connection during the handshake has shown no certificate.
    hung_up = any(isinstance(each, ssl.SSLEOFError) for each in (error, cause, *error.args, *cause.args))
    if not hung_up and (isinstance(error, exceptions.SSLError) or isinstance(cause, exceptions.SSLError | ssl.SSLError)):
        return Problem(
            code="ENDPOINT-TLS",
            what=f"The certificate of {host} was not accepted.",
            why=str(cause),
            do=(
                "Check that the certificate names this host, is not expired, and comes with its whole chain.",
                "For a private CA, set deployment.ssl_ca_path.",
            ),
            context={"url": url},
        )
    if isinstance(cause, exceptions.NameResolutionError | socket.gaierror):
        return _no_address(url, host, cause)
    if isinstance(cause, exceptions.ReadTimeoutError | exceptions.ProtocolError | exceptions.DecodeError):
        return _no_http(url, host, cause)
    return Problem(
        code="ENDPOINT-UNREACHABLE",
        what=f"{host} did not answer.",
        why=str(cause),
        do=(
            "See if the instance and its address still exist: `sre-agent-deploy plan`. `sre-agent-deploy deploy` repairs them.",
            "On AWS, check that security group, network ACL and route table let you reach it, and that DNS names its Elastic IP.",
        ),
        context={"url": url},
    )


def _no_address(url: str, host: str, cause: Exception) -> Problem:
    return Problem(
        code="ENDPOINT-NAME-UNKNOWN",
        what=f"{host} has no address.",
        why=str(cause),
        do=(
            f"Ask another name server: `dig +short {urlsplit(url).hostname} @1.1.1.1`. If it answers, correct /etc/resolv.conf here.",
            "If it does not: create the A record of deployment.domain_name with the deployment's Elastic IP, or set hosted_zone_id.",
        ),
        context={"url": url},
    )


def _no_http(url: str, host: str, cause: Exception) -> Problem:
    return Problem(
        code="ENDPOINT-SILENT",
        what=f"{host} accepted the connection and gave no HTTP answer.",
        why=str(cause),
        do=(
            "Wait a minute and run `sre-agent-deploy verify` again: a service that has just started may need that.",
            "If it happens again, read what the services log: `sre-agent-deploy logs`. A proxy in between can also hold the answer back.",
        ),
        context={"url": url},
    )
