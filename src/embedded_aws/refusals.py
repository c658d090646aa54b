"""Encode errors in the protocols of AWS, so that every client raises the error that it raises on AWS."""

from __future__ import annotations

import uuid
from enum import Enum
from xml.sax.saxutils import escape

from embedded_aws import api_key
from embedded_aws.http_messages import Request, Response
from embedded_aws.verifier import Refusal


class Protocol(Enum):
    """The formats in which AWS services encode errors."""

    S3 = "s3"
    EC2 = "ec2"
    QUERY = "query"
    JSON = "json"
    REST_JSON = "rest-json"
    CBOR = "rpc-v2-cbor"


_MESSAGES = {
    Refusal.UNSIGNED: "Missing Authentication Token",
    Refusal.INCOMPLETE: "The request signature does not conform to AWS standards.",
    Refusal.UNKNOWN_KEY: "The security token included in the request is invalid.",
    Refusal.BAD_TOKEN: "The security token included in the request is invalid.",
    Refusal.EXPIRED_TOKEN: "The security token included in the request is expired",
    Refusal.SKEWED: "Signature expired: the request's time differs from the server's by more than 15 minutes.",
    Refusal.EXPIRED_URL: "Request has expired",
    Refusal.UNSIGNED_HEADER: "There were headers present in the request which were not signed",
    Refusal.WRONG_SIGNATURE: "The request signature we calculated does not match the signature you provided. "
    "Check your AWS Secret Access Key and signing method.",
    Refusal.WRONG_PAYLOAD: "The provided 'x-amz-content-sha256' header does not match what was computed.",
}
_QUERY_CODES = {
    Refusal.UNSIGNED: "MissingAuthenticationToken",
    Refusal.INCOMPLETE: "IncompleteSignature",
    Refusal.UNKNOWN_KEY: "InvalidClientTokenId",
    Refusal.BAD_TOKEN: "InvalidClientTokenId",
    Refusal.EXPIRED_TOKEN: "ExpiredToken",
}
_S3_CODES = {
    Refusal.UNSIGNED: "AccessDenied",
    Refusal.INCOMPLETE: "AuthorizationHeaderMalformed",
    Refusal.UNKNOWN_KEY: "InvalidAccessKeyId",
    Refusal.BAD_TOKEN: "InvalidToken",
    Refusal.EXPIRED_TOKEN: "ExpiredToken",
    Refusal.SKEWED: "RequestTimeTooSkewed",
    Refusal.EXPIRED_URL: "AccessDenied",
    Refusal.UNSIGNED_HEADER: "AccessDenied",
    Refusal.WRONG_PAYLOAD: "XAmzContentSHA256Mismatch",
}
_JSON_CODES = {
    Refusal.UNSIGNED: "MissingAuthenticationTokenException",
    Refusal.INCOMPLETE: "IncompleteSignatureException",
    Refusal.UNKNOWN_KEY: "UnrecognizedClientException",
    Refusal.BAD_TOKEN: "UnrecognizedClientException",
    Refusal.EXPIRED_TOKEN: "ExpiredTokenException",
}


def of_signature(request: Request, service: str, refusal: Refusal) -> Response:
    """Return the response of `service` to a request whose signature was not accepted."""
    protocol = protocol_of(request, service)
    if api_key.is_present(request):
        expired = refusal in (Refusal.EXPIRED_URL, Refusal.EXPIRED_TOKEN)
        message = "Bearer Token has expired" if expired else "Authentication failed: Please make sure your API Key is valid."
        return answer(Protocol.REST_JSON, 403, "AccessDeniedException", message)
    if protocol is Protocol.EC2:
        code, status = "IncompleteSignature" if refusal is Refusal.INCOMPLETE else "AuthFailure", 401
    elif protocol is Protocol.S3:
        code, status = _S3_CODES.get(refusal, "SignatureDoesNotMatch"), 403
    elif protocol is Protocol.QUERY:
        code, status = _QUERY_CODES.get(refusal, "SignatureDoesNotMatch"), 403
    else:
        code, status = _JSON_CODES.get(refusal, "InvalidSignatureException"), 403
    if refusal is Refusal.INCOMPLETE or (refusal is Refusal.WRONG_PAYLOAD and protocol is Protocol.S3):
        # It can't be read: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html and every service's common errors.
        status = 400
    return answer(protocol, status, code, _MESSAGES[refusal])


def protocol_of(request: Request, service: str) -> Protocol:
    """Return the protocol of a service, by its name and the form of the request."""
    content_type = request.header("content-type")
    if service in ("s3", "ec2"):
        return Protocol(service)
    if request.header("smithy-protocol") == Protocol.CBOR.value:
        return Protocol.CBOR
    if request.header("x-amz-target") or "x-amz-json" in content_type:
        return Protocol.JSON
    if service in ("route53", "cloudfront") or content_type.startswith("application/x-www-form-urlencoded") or request.parameter("Action"):
        return Protocol.QUERY
    return Protocol.REST_JSON


def answer(protocol: Protocol, status: int, code: str, message: str) -> Response:
    """Encode one error in one protocol."""
    request_id = str(uuid.uuid4())
    marked = (("x-amzn-requestid", request_id),)
    match protocol:
        case Protocol.S3:
            text = f"<Error><Code>{code}</Code><Message>{escape(message)}</Message><RequestId>{request_id}</RequestId></Error>"
            return _xml(status, text, ("x-amz-request-id", request_id))
        case Protocol.EC2:
            error = f"<Errors><Error><Code>{code}</Code><Message>{escape(message)}</Message></Error></Errors>"
            return _xml(status, f"<Response>{error}<RequestID>{request_id}</RequestID></Response>", *marked)
        case Protocol.QUERY:
            error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
            return _xml(status, f"<ErrorResponse>{error}<RequestId>{request_id}</RequestId></ErrorResponse>", *marked)
        case Protocol.CBOR:
            body = b"\xa2" + b"".join(map(_cbor_text, ("__type", code, "message", message)))
            headers = (("content-type", "application/cbor"), ("smithy-protocol", Protocol.CBOR.value), *marked)
            return Response(status, body, headers)
        case Protocol.JSON | Protocol.REST_JSON:
            return Response.of_json(status, {"__type": code, "message": message}, ("x-amzn-errortype", code), *marked)


def _xml(status: int, document: str, *headers: tuple[str, str]) -> Response:
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{document}'
    return Response(status, body.encode(), (("content-type", "application/xml"), *headers))


def _cbor_text(text: str) -> bytes:
    encoded = text.encode()
    return b"\x79" + len(encoded).to_bytes(2, "big") + encoded
