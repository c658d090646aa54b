"""The only paths that need no signature: a user pool's public documents, and its token endpoint."""

from __future__ import annotations

import re
from urllib.parse import parse_qsl

from embedded_aws.oauth import discovery, pools, token
from embedded_aws.request import Request
from embedded_aws.response import Response
from sre_core import clock, security_event

_DOCUMENT = re.compile(r"/(?P<pool>[a-z0-9-]+_[A-Za-z0-9]+)/\.well-known/(?P<name>openid-configuration|jwks\.json)")
_TOKEN = re.compile(r"/oauth2-domains/(?P<domain>[A-Za-z0-9.-]+)/oauth2/token")


class OAuthDoor:
    """Answers the OAuth paths of one account; None for every other path."""

    def __init__(self, account_id: str, endpoint: str) -> None:
        self._account_id = account_id
        self._endpoint = endpoint

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
        document = discovery.jwks(pool) if name == "jwks.json" else discovery.openid_configuration(self._endpoint, pool)
        return Response.of_json(200, document)

    def _token(self, request: Request, domain: str) -> Response:
        if request.method != "POST":
            return Response.of_json(405, {"error": "invalid_request"}, ("allow", "POST"))
        pool = pools.find_by_domain(self._account_id, domain)
        if pool is None:
            return Response.of_json(404, {"message": "There is no user pool with this domain."})
        outcome = self._grant(request, pool)
        if isinstance(outcome, token.Refused):
            _log_refusal(request, outcome)
            return Response.of_json(400, {"error": outcome.error}, ("cache-control", "no-store"))
        body = {"access_token": outcome.access_token.reveal(), "expires_in": outcome.expires_in, "token_type": "Bearer"}
        return Response.of_json(200, body, ("cache-control", "no-store"))

    def _grant(self, request: Request, pool: pools.Pool) -> token.Granted | token.Refused:
        if not request.header("content-type").startswith("application/x-www-form-urlencoded"):
            return token.Refused("invalid_request")
        try:
            form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        except UnicodeDecodeError:
            return token.Refused("invalid_request")
        parsed = token.parse(request.header("authorization"), form)
        if isinstance(parsed, token.Refused):
            return parsed
        return token.grant(parsed, pool, discovery.issuer(self._endpoint, pool), clock.now())


def _log_refusal(request: Request, refused: token.Refused) -> None:
    security_event.log_denied(
        service="cognito-oauth2", reason=refused.error, method=request.method, path=request.raw_path, client=request.client
    )
