"""Short-term API keys of Bedrock: a presigned request for CallWithBearerToken, sent as a bearer token.

https://docs.aws.amazon.com/IAM/latest/UserGuide/id_credentials_bedrock.html. The form is that of Amazon's aws-bedrock-token-generator.
Long-term keys, which IAM keeps with a user, are refused: nothing in the local AWS creates any.
"""

from __future__ import annotations

import base64
import binascii

from embedded_aws import sigv4
from embedded_aws.http_messages import Request

_PREFIX = "bedrock-api-key-"
_HOST = "bedrock.amazonaws.com"
_LONGEST_SECONDS = 12 * 60 * 60


def is_present(request: Request) -> bool:
    """Say if a request has a bearer token instead of a signature."""
    return request.header("authorization").lower().startswith("bearer ")


def read_signed(request: Request) -> Request:
    """Return what is signed: the presigned request inside an API key, else the request itself. Raises Incomplete."""
    if not is_present(request):
        return request
    key = request.header("authorization").partition(" ")[2].strip()
    try:
        url = base64.b64decode(key.removeprefix(_PREFIX), validate=True).decode("ascii") if key.startswith(_PREFIX) else ""
    except (binascii.Error, UnicodeDecodeError):
        url = ""
    head, _, query = url.partition("?")
    inside = Request("POST", "/", query.removesuffix("&Version=1"), (("host", _HOST),), b"", request.client)
    if head != f"{_HOST}/" or inside.parameter("Action") != "CallWithBearerToken":
        raise sigv4.Incomplete("The bearer token is no API key of Bedrock.")
    return inside


def is_of_bedrock(claim: sigv4.Signature) -> bool:
    """Say if a claim inside an API key is for Bedrock, and not longer than such a key lives."""
    return claim.service == "bedrock" and claim.expires_seconds is not None and claim.expires_seconds <= _LONGEST_SECONDS
