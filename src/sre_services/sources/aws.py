"""AWS as a source: clients, signatures, and what is said when AWS refuses. This is the only module of the package that imports boto3."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from sre_core import tracing
from sre_core.problem import Problem, Refused
from sre_services.sources import failures
from sre_services.sources.settings import Settings

_CONNECT_SECONDS, _READ_SECONDS = 3, 10
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_ABSENT = ("ResourceNotFoundException", "ResourceNotFound", "NoSuchBucket", "NoSuchKey")
_NOT_AUTHENTICATED = (
    "InvalidSignatureException",
    "UnrecognizedClientException",
    "InvalidClientTokenId",
    "ExpiredToken",
    "ExpiredTokenException",
    "SignatureDoesNotMatch",
)


class AwsClient:
    """One service of AWS in one region. `name` is for people."""

    def __init__(self, service: str, name: str, settings: Settings) -> None:
        self.name = name
        self.region = region_of(settings)
        self._service = service
        with _refuse_errors(_Asked(name, self.region, self.region)):
            self._client = _open_client(service, self.region, settings.environment)

    def call(self, operation: str, action: str, /, **parameters: Any) -> Any:
        """Call an operation (`start_query`). Raises Refused; `action` is what a role that may not call it lacks (`logs:StartQuery`)."""
        with self._refuse_errors(action), self._step(operation):
            return getattr(self._client, operation)(**parameters)

    def read(self, operation: str, action: str, /, **parameters: Any) -> bytes:
        """Call an operation (`get_object`) and read the Body of its answer. Raises Refused as `call` does."""
        with self._refuse_errors(action), self._step(operation):
            body: bytes = getattr(self._client, operation)(**parameters)["Body"].read()
            return body

    def _step(self, operation: str) -> AbstractContextManager[tracing.Span]:
        return tracing.span("read_source", "client", facts={"sre.source": self.name, "rpc.method": operation})

    def _refuse_errors(self, action: str) -> AbstractContextManager[None]:
        return _refuse_errors(_Asked(self.name, str(self._client.meta.endpoint_url), self.region, action))


@dataclass(frozen=True)
class _Asked:
    """A request to AWS, for people: the service, its address, its region, and the action that a role must allow."""

    name: str
    where: str
    region: str
    action: str = ""

    def explain(self, code: str, message: str) -> Problem:
        """Explain an error of AWS by its code."""
        reason = f"{code}: {message}"
        if code in _DENIED:
            return failures.not_permitted(self.name, self.where, self.action, reason)
        if code in _ABSENT:
            return failures.no_such_resource(self.name, self.region, reason)
        if code in _NOT_AUTHENTICATED:
            return failures.not_authenticated(self.name, self.where, reason)
        return failures.not_understood(self.name, self.where, reason)


@contextmanager
def _refuse_errors(asked: _Asked) -> Iterator[None]:
    """Raise each error of boto3 as Refused with its Problem."""
    from botocore.exceptions import (
        BotoCoreError,
        ClientError,
        CredentialRetrievalError,
        NoCredentialsError,
        PartialCredentialsError,
        ProfileNotFound,
    )

    try:
        yield
    except ClientError as error:
        found = error.response["Error"]
        raise Refused(asked.explain(found.get("Code", ""), found.get("Message", ""))) from None
    except (NoCredentialsError, PartialCredentialsError, CredentialRetrievalError, ProfileNotFound) as error:
        raise Refused(failures.not_authenticated(asked.name, asked.where, str(error))) from None
    except BotoCoreError as error:
        raise Refused(failures.unreachable(asked.name, asked.where, error)) from None


def region_of(settings: Settings) -> str:
    """Return the region of a source: its own, else that of the machine. Raises Refused where there is none."""
    return settings.get("region") or settings.environment.get("AWS_REGION", "") or settings.require("region")


def _open_client(service: str, region: str, environment: Mapping[str, str]) -> Any:
    """Open a client with the machine's role, or what the environment names."""
    from botocore.config import Config

    suffix = service.upper().replace("-", "_")
    return _session(environment).client(
        service,
        region_name=region,
        endpoint_url=environment.get(f"AWS_ENDPOINT_URL_{suffix}") or environment.get("AWS_ENDPOINT_URL"),
        verify=environment.get("AWS_CA_BUNDLE"),
        config=Config(connect_timeout=_CONNECT_SECONDS, read_timeout=_READ_SECONDS, retries={"total_max_attempts": 2, "mode": "standard"}),
    )


def _session(environment: Mapping[str, str]) -> Any:
    import boto3

    return boto3.session.Session(
        aws_access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environment.get("AWS_SESSION_TOKEN"),
    )


def request_signer(
    service: str, region: str, environment: Mapping[str, str]
) -> Callable[[str, str, Mapping[str, str], bytes], dict[str, str]]:
    """Return a function that signs a request (method, URL, headers, body) with Signature Version 4 and returns the headers to send."""
    from botocore.auth import SigV4Auth
    from botocore.awsrequest import AWSRequest

    with _refuse_errors(_Asked(service, region, region)):
        session = _session(environment)

    def sign(method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        with _refuse_errors(_Asked(service, url, region)):
            credentials = session.get_credentials()
            if credentials is None:
                raise Refused(failures.not_authenticated(service, url, "There are no credentials of AWS on this machine"))
            request = AWSRequest(method=method, url=url, headers=dict(headers), data=body)
            SigV4Auth(credentials.get_frozen_credentials(), service, region).add_auth(request)
            return dict(request.headers.items())

    return sign


def sign_cluster_token(cluster: str, region: str, environment: Mapping[str, str]) -> str:
    """Return the token that EKS accepts: a presigned GetCallerIdentity with the name of the cluster, valid for some minutes.

    https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html
    """
    import base64

    from botocore.signers import RequestSigner

    with _refuse_errors(_Asked("AWS STS", region, region)):
        session = _session(environment)
        client = _open_client("sts", region, environment)
        signer = RequestSigner(client.meta.service_model.service_id, region, "sts", "v4", session.get_credentials(), session.events)
        request = {
            "method": "GET",
            "url": f"{client.meta.endpoint_url.rstrip('/')}/?Action=GetCallerIdentity&Version=2011-06-15",
            "body": {},
            "headers": {"x-k8s-aws-id": cluster},
            "context": {},
        }
        url: str = signer.generate_presigned_url(request, region_name=region, expires_in=60, operation_name="")
    return "k8s-aws-v1." + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
