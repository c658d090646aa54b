"""Render nginx.conf, the front door of a machine (pure). It answers as the contract says, like the built-in front door."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sre_agent_deploy.instance import Layout
from sre_core.machine import CHALLENGE_PATH, FrontDoor, Listener, Route
from sre_core.security_event import describe_denial

# What AgentCore's gateway accepts as a payload.
LARGEST_BODY = 6 * 1024 * 1024

# An ambiguous path is refused: an encoded slash, backslash or NUL, a plain backslash
# (`\x5c`, since nginx unescapes strings), an empty segment, and the segments `.` and `..` in any spelling. The query is not part of it.
_AMBIGUOUS = r"^[^?]*(?:%2f|%5c|%00|\x5c|//|/(?:\.|%2e){1,2}(?=/|\?|$))"

# Services trust these headers, so those of a client are removed.
_CLAIMS = (
    "Forwarded", "X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Prefix", "X-Forwarded-Server", "X-Forwarded-Ssl",
    "X-Real-IP", "X-Original-URL", "X-Rewrite-URL", "Proxy", "Expect", "TE", "Upgrade",
)  # fmt: skip

_TOO_LARGE = f"A request body may have {LARGEST_BODY} bytes."
_PLAINLY = "The path has empty, dot or encoded-slash segments. Send it in its plain form."


@dataclass(frozen=True)
class NginxPaths:
    """Settings that depend on the machine and not on its description."""

    pid_file: Path = Path("/run/nginx.pid")
    logs: Path = Path("/var/log/nginx")
    temporary: Path = Path("/var/lib/nginx/tmp")
    user: str = "user nginx;"
    address: str = ""


def render_nginx_conf(door: FrontDoor, layout: Layout, paths: NginxPaths) -> str:
    """Render the whole configuration file. The same machine gives the same text."""
    services = dict.fromkeys(route.service for listener in door.listeners for route in listener.routes)
    return "\n".join(
        (
            paths.user,
            "worker_processes auto;",
            f"pid {paths.pid_file};",
            f"error_log {paths.logs}/error.log warn;",
            "events { worker_connections 4096; }",
            "http {",
            *_indent(_http(layout, paths)),
            *(_upstream(service, layout) for service in services),
            *(line for listener in door.listeners for line in _indent(_server(listener, paths.address, door.ipv6))),
            *(_indent(_redirect(door, layout, paths.address)) if door.redirect_port else ()),
            "}",
            "",
        )
    )


def _upstream(service: str, layout: Layout) -> str:
    # The service closes a connection that is idle for five seconds. A request that meets this would be answered with 502.
    return f"  upstream {service} {{ server unix:{layout.socket(service)}; keepalive 16; keepalive_timeout 2s; }}"


def _http(layout: Layout, paths: NginxPaths) -> tuple[str, ...]:
    return (
        "default_type application/octet-stream;",
        "server_tokens off;",
        # Without the query, which may hold private data. Metric filters count these lines, and take `seconds` for a number.
        """log_format events escape=json '{"time":"$time_iso8601","client":"$remote_addr","method":"$request_method","path":"$uri",'
    '"status":"$status","seconds":$request_time,"service":"$proxy_host"}';""",
        f"access_log {paths.logs}/access.log events;",
        *_security_log(paths),
        *(f"{kind}_temp_path {paths.temporary}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")),
        f"client_max_body_size {LARGEST_BODY};",
        "client_header_timeout 15s;",
        "client_body_timeout 60s;",
        "keepalive_timeout 60s;",
        "large_client_header_buffers 8 32k;",
        "merge_slashes off;",
        f"ssl_certificate {layout.certificate};",
        f"ssl_certificate_key {layout.key};",
        "ssl_protocols TLSv1.2 TLSv1.3;",
        "ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
        "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;",
        "ssl_ecdh_curve X25519:prime256v1:secp384r1;",
        "ssl_prefer_server_ciphers off;",
        "ssl_session_cache shared:TLS:10m;",
        "ssl_session_timeout 1d;",
        "ssl_session_tickets off;",
        *_proxy(),
    )


# Without the query, which may hold private data, and without what looks like a token.
_SECURITY_MAPS = r"""
map $msec $ocsf_time { "~^(?<ocsf_s>[0-9]+)[.](?<ocsf_ms>[0-9]{3})$" "$ocsf_s$ocsf_ms"; }
map $request_method $ocsf_activity { default 99; POST 1; GET 2; HEAD 2; PUT 3; PATCH 3; DELETE 4; }
map $request_method $ocsf_type { default 600399; POST 600301; GET 600302; HEAD 600302; PUT 600303; PATCH 600303; DELETE 600304; }
map $request_method $ocsf_verb { default Other; POST Create; GET Read; HEAD Read; PUT Update; PATCH Update; DELETE Delete; }
map "$refusal|$upstream_status|$status" $refused {
  default $refusal; "||400" malformed_request; "||408" head_too_slow; "||414" head_too_large;
}
map $request_uri $ocsf_path { default ""; "~^[^?]*(?:eyJ|[^/?]{40})" "***"; "~^(?<ocsf_plain>[^?]{0,200})" "$ocsf_plain"; }"""


def _security_log(paths: NginxPaths) -> tuple[str, ...]:
    """Render the log of what the front door itself refuses: the same event as every other surface writes (`sre_core.security_event`)."""
    event = describe_denial(
        service="front-door",
        reason="$refused",
        method="$request_method",
        path="$ocsf_path",
        client="$remote_addr",
        status="$status",
        request_id="$request_id",
        subject="",
        time="$ocsf_time",
        activity=("$ocsf_activity", "$ocsf_verb"),
        facts={},
    )
    text = re.sub(r'"(\$ocsf_(?:time|activity|type))"', r"\1", json.dumps(event))
    return (
        *_SECURITY_MAPS.strip().splitlines(),
        # A request that can't be read ends before any variable is set.
        "uninitialized_variable_warn off;",
        f"log_format security escape=json '{text}';",
        f"access_log {paths.logs}/security.log security if=$refused;",
    )


def _proxy() -> tuple[str, ...]:
    return (
        "proxy_http_version 1.1;",
        "proxy_connect_timeout 5s;",
        # A gateway's tool call may take fifteen minutes, and so may an investigation.
        "proxy_read_timeout 900s;",
        "proxy_send_timeout 900s;",
        # Events and bodies are passed on without delay.
        "proxy_buffering off;",
        "proxy_request_buffering off;",
        "proxy_next_upstream off;",
        "proxy_redirect off;",
        'proxy_set_header Connection "";',
        "proxy_set_header Host $http_host;",
        "proxy_set_header X-Forwarded-For $remote_addr;",
        "proxy_set_header X-Forwarded-Proto https;",
        "proxy_set_header X-Request-Id $request_id;",
        *(f'proxy_set_header {name} "";' for name in _CLAIMS),
        *(f"proxy_hide_header {name};" for name in ("Strict-Transport-Security", "X-Content-Type-Options", "X-Request-Id")),
    )


def _server(listener: Listener, address: str, ipv6: bool) -> tuple[str, ...]:
    return (
        "server {",
        *(f"  listen {at} ssl default_server;" for at in _at(address, listener.port, ipv6=ipv6 and listener.scope == "public")),
        "  default_type application/json;",
        '  add_header Strict-Transport-Security "max-age=63072000" always;',
        "  add_header X-Content-Type-Options nosniff always;",
        "  add_header X-Request-Id $request_id always;",
        # nginx would answer plain HTTP on a TLS port with a page; closing the connection reveals less.
        "  error_page 497 @plain; location @plain { set $refusal plain_http; return 444; }",
        f"  error_page 413 @large; location @large {{ {_refuse('body_too_large', 413, 'FRONT-DOOR-BODY-TOO-LARGE', _TOO_LARGE)} }}",
        f"  error_page 502 @down; location @down {{ {_return_unavailable(502, 'does not answer')} }}",
        f"  error_page 504 @slow; location @slow {{ {_return_unavailable(504, 'took too long')} }}",
        '  set $service "";',
        f'  if ($request_uri ~* "{_AMBIGUOUS}") {{ {_refuse("ambiguous_path", 400, "FRONT-DOOR-PATH-AMBIGUOUS", _PLAINLY)} }}',
        *(f"  {line}" for line in _locations(listener.routes)),
        "}",
    )


def _locations(routes: tuple[Route, ...]) -> tuple[str, ...]:
    by_path = {route.path: f"set $service {route.service}; proxy_pass http://{route.service}/;" for route in routes}
    nothing = _refuse("no_route", 404, "FRONT-DOOR-NO-ROUTE", "No service is published below this path.")
    prefixes = {"/": nothing, **by_path}
    # nginx would redirect `/api/logs` to `/api/logs/`; the contract sends it to the next shorter route.
    exact = {path.rstrip("/"): _next_shorter(path, routes, nothing) for path in by_path if path != "/"}
    return (
        *(f"location = {path} {{ {does} }}" for path, does in exact.items()),
        *(f"location {path} {{ {does} }}" for path, does in prefixes.items()),
    )


def _next_shorter(path: str, routes: tuple[Route, ...], nothing: str) -> str:
    bare = path.rstrip("/")
    shorter = [route for route in routes if bare.startswith(route.path)]
    if not shorter:
        return nothing
    longest = max(shorter, key=lambda route: len(route.path))
    return f"set $service {longest.service}; proxy_pass http://{longest.service}/{bare[len(longest.path) :].lstrip('/')};"


def _redirect(door: FrontDoor, layout: Layout, address: str) -> tuple[str, ...]:
    """Redirect to HTTPS. Where the machine orders its certificate, its authority finds the proofs here."""
    return (
        "server {",
        *(f"  listen {at} default_server;" for at in _at(address, door.redirect_port or 80, ipv6=door.ipv6)),
        *(_show_proofs(layout) if door.certificate_source == "letsencrypt" else ("  return 308 https://$host$request_uri;",)),
        "}",
    )


def _show_proofs(layout: Layout) -> tuple[str, ...]:
    return (
        f"  location ^~ {CHALLENGE_PATH} {{ default_type text/plain; alias {layout.challenges}/; }}",
        "  location / { return 308 https://$host$request_uri; }",
    )


def _at(address: str, port: int, *, ipv6: bool) -> tuple[str, ...]:
    """List where a port listens: at the one address, or at every one, of IPv6 only where it is asked for."""
    if address:
        return (f"{address}:{port}",)
    return (str(port), f"[::]:{port}") if ipv6 else (str(port),)


def _return_unavailable(status: int, how: str) -> str:
    return _return_error(status, "FRONT-DOOR-SERVICE-UNAVAILABLE", f"The service $service {how}. Try again in a moment.")


def _refuse(reason: str, status: int, code: str, message: str) -> str:
    """Return an error that leaves a security event."""
    return f"set $refusal {reason}; {_return_error(status, code, message)}"


def _return_error(status: int, code: str, message: str) -> str:
    return f"return {status} '{json.dumps({'error': {'code': code, 'message': message}})}';"


def _indent(lines: Iterable[str]) -> Iterable[str]:
    return (f"  {line}" for line in lines)
