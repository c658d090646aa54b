"""The caller's client secret, and the clients of Bedrock and DynamoDB. This is the only module of the package that imports boto3."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sre_agent.connection import SecretReference
from sre_core.problem import Problem, Refused, Where
from sre_core.secret import Secret

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient

    from sre_agent.reasoners.models.settings import ModelSettings

AWS_VARIABLES = "AWS_"  # any variable with this prefix could point a client at a real account


@dataclass(frozen=True)
class Registry:
    """The local AWS: its endpoint, its certificate authority, and the credentials of its current run."""

    endpoint: str
    ca_file: str
    region: str
    access_key_id: str
    secret_access_key: Secret


def read_client_secret(reference: SecretReference, registry_file: str) -> Secret:
    """Read the secret that `reference` names. Raises Refused when AWS does not return it."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = _local_client(_read_registry(Path(registry_file))) if registry_file else _account_client(reference.region)
        answer = client.get_secret_value(SecretId=reference.secret_arn)
        return Secret(str(json.loads(answer["SecretString"])[reference.json_key]))
    except ClientError as error:
        code = error.response["Error"]["Code"]
        raise Refused(_refused(reference, code, error.response["ResponseMetadata"].get("RequestId"))) from error
    except BotoCoreError as error:
        raise Refused(_unreachable(registry_file, str(error))) from error
    except (ValueError, KeyError, TypeError) as error:
        raise Refused(_refused(reference, f"it holds no {reference.json_key}", None)) from error


def open_bedrock(settings: ModelSettings, environment: Mapping[str, str]) -> Any:
    """Open a client of Bedrock Runtime, with the machine's role or what the environment names."""
    return _open("bedrock-runtime", settings.region, environment, read_timeout=settings.budget.seconds, attempts=2)


def open_dynamodb(region: str, environment: Mapping[str, str]) -> Any:
    """Open a client of DynamoDB, with the machine's role or what the environment names. No answer waits long for it."""
    return _open("dynamodb", region, environment, read_timeout=3, attempts=3)


def _open(service: str, region: str, environment: Mapping[str, str], *, read_timeout: float, attempts: int) -> Any:
    import boto3
    from botocore.config import Config

    session: Any = boto3.session.Session()
    return session.client(
        service,
        region_name=region,
        endpoint_url=environment.get(f"AWS_ENDPOINT_URL_{service.replace('-', '_').upper()}"),
        verify=environment.get("AWS_CA_BUNDLE"),
        aws_access_key_id=environment.get("AWS_ACCESS_KEY_ID"),
        aws_secret_access_key=environment.get("AWS_SECRET_ACCESS_KEY"),
        aws_session_token=environment.get("AWS_SESSION_TOKEN"),
        config=Config(connect_timeout=5, read_timeout=read_timeout, retries={"total_max_attempts": attempts, "mode": "standard"}),
    )


def client_errors() -> tuple[type[Exception], ...]:
    """Return the errors of AWS's clients: no credentials, no region, no answer."""
    from botocore.exceptions import BotoCoreError, ClientError

    return (BotoCoreError, ClientError)


def _read_registry(path: Path) -> Registry:
    try:
        document: Mapping[str, str] = json.loads(path.read_text(encoding="utf-8"))
        return Registry(
            endpoint=document["endpoint"],
            ca_file=document["ca_file"],
            region=document["region"],
            access_key_id=document["access_key_id"],
            secret_access_key=Secret(document["secret_access_key"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise Refused(_gone(path)) from error


def _local_client(registry: Registry) -> SecretsManagerClient:
    """Create a client that can't reach a real account: it ignores variables, profiles and proxies of the user."""
    _remove_aws_settings()
    import boto3
    from botocore.config import Config

    return boto3.client(
        "secretsmanager",
        region_name=registry.region,
        endpoint_url=registry.endpoint,
        verify=registry.ca_file,
        aws_access_key_id=registry.access_key_id,
        aws_secret_access_key=registry.secret_access_key.reveal(),
        config=Config(proxies={}, connect_timeout=5, read_timeout=10, retries={"total_max_attempts": 2}),
    )


def _remove_aws_settings() -> None:
    """Remove AWS's variables from this process: any of them could point botocore elsewhere or make it fail."""
    for name in [name for name in os.environ if name.startswith(AWS_VARIABLES)]:
        del os.environ[name]
    os.environ["AWS_CONFIG_FILE"] = os.environ["AWS_SHARED_CREDENTIALS_FILE"] = os.devnull


def _account_client(region: str) -> SecretsManagerClient:
    import boto3
    from botocore.config import Config

    return boto3.client("secretsmanager", region_name=region, config=Config(connect_timeout=5, read_timeout=10))


def _refused(reference: SecretReference, reason: str, request_id: str | None) -> Problem:
    return Problem(
        code="CALLER-SECRET-REFUSED",
        what="The secret of the caller client could not be read.",
        why=f"Secrets Manager: {reason}.",
        do=(
            f"Allow your AWS identity secretsmanager:GetSecretValue on {reference.secret_arn}.",
            "If the deployment was deleted, its connection file is out of date: deploy again.",
        ),
        request_id=request_id,
    )


def _unreachable(registry_file: str, reason: str) -> Problem:
    if registry_file:
        return _gone(Path(registry_file))
    return Problem(
        code="AWS-UNREACHABLE",
        what="Secrets Manager could not be asked for the secret of the caller client.",
        why=reason,
        do=("Check your AWS credentials: aws sts get-caller-identity", "Check the network to Secrets Manager."),
    )


def _gone(registry: Path) -> Problem:
    return Problem(
        code="LOCAL-AWS-GONE",
        what="The local AWS no longer runs, and the deployment in it is gone.",
        why="It keeps its state in memory. It was stopped, it crashed, or the machine was restarted.",
        do=("See what is left: sre-agent-deploy status", "Deploy again: sre-agent-deploy --config examples/local.yaml --mode local"),
        where=Where(str(registry)),
    )
