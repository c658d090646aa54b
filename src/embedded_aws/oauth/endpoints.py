"""Answer the only paths that need no signature: the public documents of a user pool, and its token endpoint."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Mapping
from urllib.parse import parse_qsl

from embedded_aws.http_messages import Request, Response
from embedded_aws.oauth import pools, token
from embedded_aws.oauth.pools import Pool
from embedded_aws.watching.trail_events import Event, describe_token_request
from sre_core import clock, security_event

DOMAINS_PATH = "/oauth2-domains/"


def issuer(endpoint: str, pool: Pool) -> str:
    """Return the issuer as on AWS: the cognito-idp endpoint and the id of the pool."""
    return f"{endpoint}/{pool.pool_id}"


def openid_configuration(endpoint: str, pool: Pool) -> dict[str, object]:
    """Return `/.well-known/openid-configuration`; the OAuth endpoints exist only once the pool has a domain."""
    document: dict[str, object] = {
        "issuer": issuer(endpoint, pool),
        "jwks_uri": f"{issuer(endpoint, pool)}/.well-known/jwks.json",
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "token"],
        "scopes_supported": ["openid", "email", "phone", "profile"],
        "subject_types_supported": ["public"],
        "token_endpoint_auth_methods_supported": ["client_secret_basic", "client_secret_post"],
    }
    if pool.domain:
        document["token_endpoint"] = f"{endpoint}{DOMAINS_PATH}{pool.domain}/oauth2/token"
    return document


def jwks(pool: Pool) -> dict[str, object]:
    """Return `/.well-known/jwks.json`: the public half of the key of the pool."""
    return {"keys": [{**pool.key.as_dict(private=False), "alg": "RS256", "use": "sig", "kid": pool.key.kid}]}


_DOCUMENT = re.compile(r"/(?P<pool>[a-z0-9-]+_[A-Za-z0-9]+)/\.well-known/(?P<name>openid-configuration|jwks\.json)")
_TOKEN = re.compile(r"/oauth2-domains/(?P<domain>[A-Za-z0-9.-]+)/oauth2/token")


class OAuthEndpoints:
    """Answers the OAuth paths of one account; None for every other path."""

    def __init__(self, account_id: str, endpoint: str, record_event: Callable[[Event], None] = lambda _: None) -> None:
        self._account_id = account_id
        self._endpoint = endpoint
        self._record_event = record_event

    def answers(self, request: Request) -> bool:
        """Say by the path alone if this needs no signature."""
        return bool(_DOCUMENT.fullmatch(request.path) or _TOKEN.fullmatch(request.path))

    def answer(self, request: Request) -> Response | None:
        if match := _DOCUMENT.fullmatch(request.path):
            return self._document(request, match["pool"], match["name"])
        if match := _TOKEN.fullmatch(request.path):
            return self._token(request, match["domain"])
        return None

    def _document(self, request: Request, pool_id: str, name: str) -> Response:
        if request.method not in ("GET", "HEAD"):
            return Response.of_json(405, {"message": "Method not allowed"}, ("allow", "GET, HEAD"))
        pool = pools.find(self._account_id, pool_id)
        if pool is None:
            return Response.of_json(400, {"message": f"User pool {pool_id} does not exist."})
        document = jwks(pool) if name == "jwks.json" else openid_configuration(self._endpoint, pool)
        return Response.of_json(200, document)

    def _token(self, request: Request, domain: str) -> Response:
        if request.method != "POST":
            return Response.of_json(405, {"error": "invalid_request"}, ("allow", "POST"))
        pool = pools.find_by_domain(self._account_id, domain)
        if pool is None:
            return Response.of_json(404, {"message": "There is no user pool with this domain."})
        form = _read_form(request)
        outcome = self._grant(request, form, pool) if form is not None else token.Refused("invalid_request")
        status, request_id = 400 if isinstance(outcome, token.Refused) else 200, str(uuid.uuid4())
        self._record_event(
            describe_token_request(
                account=self._account_id,
                region=pool.pool_id.rpartition("_")[0],
                pool_id=pool.pool_id,
                domain=domain,
                form=form or {},
                status=status,
                request_id=request_id,
                client=request.client,
                agent=request.header("user-agent"),
            )
        )
        headers = (("cache-control", "no-store"), ("x-amz-cognito-request-id", request_id))
        if isinstance(outcome, token.Refused):
            _log_refusal(request, outcome, request_id)
            return Response.of_json(status, {"error": outcome.error}, *headers)
        body = {"access_token": outcome.access_token.reveal(), "expires_in": outcome.expires_in, "token_type": "Bearer"}
        return Response.of_json(status, body, *headers)

    def _grant(self, request: Request, form: Mapping[str, str], pool: pools.Pool) -> token.Granted | token.Refused:
        parsed = token.parse(request.header("authorization"), form)
        if isinstance(parsed, token.Refused):
            return parsed
        return token.grant(parsed, pool, issuer(self._endpoint, pool), clock.now())


def _read_form(request: Request) -> dict[str, str] | None:
    if not request.header("content-type").startswith("application/x-www-form-urlencoded"):
        return None
    try:
        return dict(parse_qsl(request.body.decode(), keep_blank_values=True))
    except UnicodeDecodeError:
        return None


def _log_refusal(request: Request, refused: token.Refused, request_id: str) -> None:
    """Log the security event of a refusal."""
    security_event.log_denied(
        service="cognito-oauth2",
        reason=refused.error,
        method=request.method,
        path=request.raw_path,
        client=request.client,
        status=400,
        request_id=request_id,
        subject=refused.client_id,
    )
