"""Answers about what does not exist: the code and HTTP status of AWS, and never an empty list."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fixtures.embedded import EmbeddedAws

ACCOUNT = "us-east-1:123456789012"
GROUP = {"resourceArn": f"arn:aws:logs:{ACCOUNT}:log-group:absent"}
POOL = {"UserPoolId": "us-east-1_absent123"}
CHECK = str(uuid.UUID(int=1))
ALARM = {"ResourceARN": f"arn:aws:cloudwatch:{ACCOUNT}:alarm:absent"}
DASHBOARD = {"ResourceARN": "arn:aws:cloudwatch::123456789012:dashboard/absent"}

ABSENT: list[tuple[str, str, dict[str, Any], str, int]] = [
    ("logs", "describe_metric_filters", {"logGroupName": "absent"}, "ResourceNotFoundException", 400),
    ("logs", "delete_metric_filter", {"logGroupName": "absent", "filterName": "absent"}, "ResourceNotFoundException", 400),
    ("logs", "list_tags_for_resource", GROUP, "ResourceNotFoundException", 400),
    ("logs", "tag_resource", {**GROUP, "tags": {"team": "platform"}}, "ResourceNotFoundException", 400),
    ("secretsmanager", "list_secret_version_ids", {"SecretId": "absent"}, "ResourceNotFoundException", 400),
    ("secretsmanager", "get_secret_value", {"SecretId": "absent"}, "ResourceNotFoundException", 400),
    ("secretsmanager", "delete_secret", {"SecretId": "absent"}, "ResourceNotFoundException", 400),
    ("iam", "list_instance_profiles_for_role", {"RoleName": "absent"}, "NoSuchEntity", 404),
    ("cognito-idp", "list_resource_servers", POOL, "ResourceNotFoundException", 400),
    ("cognito-idp", "delete_user_pool_domain", {**POOL, "Domain": "absent"}, "InvalidParameterException", 400),
    ("cloudwatch", "list_tags_for_resource", ALARM, "ResourceNotFoundException", 404),
    ("cloudwatch", "list_tags_for_resource", DASHBOARD, "ResourceNotFoundException", 404),
    ("route53", "list_tags_for_resource", {"ResourceType": "healthcheck", "ResourceId": CHECK}, "NoSuchHealthCheck", 404),
    ("route53", "list_tags_for_resources", {"ResourceType": "healthcheck", "ResourceIds": [CHECK]}, "NoSuchHealthCheck", 404),
]


@pytest.mark.parametrize(
    ("service", "operation", "given", "code", "status"), ABSENT, ids=lambda part: part if isinstance(part, str) else ""
)
def test_what_is_absent(embedded: EmbeddedAws, service: str, operation: str, given: dict[str, Any], code: str, status: int) -> None:
    """It is an error of the service's model, with the status that the service sends it with."""
    client = embedded.client(service)  # type: ignore[call-overload]
    with pytest.raises(ClientError) as refused:
        getattr(client, operation)(**given)
    answer = refused.value.response
    assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, status)


def test_an_absent_filter_of_an_existing_group(embedded: EmbeddedAws) -> None:
    """An existing group without filters has an empty list; a filter that it does not have can't be deleted."""
    logs, group = embedded.client("logs"), f"group-{uuid.uuid4().hex[:8]}"
    logs.create_log_group(logGroupName=group)
    assert not logs.describe_metric_filters(logGroupName=group)["metricFilters"]
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        logs.delete_metric_filter(logGroupName=group, filterName="absent")


def test_versions_without_labels(embedded: EmbeddedAws) -> None:
    """A version that lost its last label is listed only with IncludeDeprecated."""
    secrets, name = embedded.client("secretsmanager"), f"secret-{uuid.uuid4().hex[:8]}"
    secrets.create_secret(Name=name, SecretString="one")
    secrets.put_secret_value(SecretId=name, SecretString="two")
    secrets.put_secret_value(SecretId=name, SecretString="three")
    labelled = secrets.list_secret_version_ids(SecretId=name)
    assert sorted(label for version in labelled["Versions"] for label in version["VersionStages"]) == ["AWSCURRENT", "AWSPREVIOUS"]
    assert len(labelled["Versions"]) == 2
    assert labelled["ARN"].startswith("arn:")
    assert len(secrets.list_secret_version_ids(SecretId=name, IncludeDeprecated=True)["Versions"]) == 3


def test_an_absent_version_of_an_existing_secret(embedded: EmbeddedAws) -> None:
    """A version, a label, and a label that the version does not have: each answers with status 400."""
    secrets, name = embedded.client("secretsmanager"), f"secret-{uuid.uuid4().hex[:8]}"
    version = secrets.create_secret(Name=name, SecretString="x")["VersionId"]
    absent = str(uuid.uuid4())
    for asked, code in (
        ({"VersionId": absent}, "ResourceNotFoundException"),
        ({"VersionStage": "OTHER"}, "ResourceNotFoundException"),
        ({"VersionId": version, "VersionStage": "OTHER"}, "InvalidRequestException"),
    ):
        with pytest.raises(ClientError) as refused:
            secrets.get_secret_value(SecretId=name, **asked)
        answer = refused.value.response
        assert (answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]) == (code, 400)


def test_a_domain_of_another_pool(embedded: EmbeddedAws) -> None:
    """It is not deleted in the name of a pool that does not have it."""
    cognito, domain = embedded.client("cognito-idp"), f"domain-{uuid.uuid4().hex[:8]}"
    owner, other = (cognito.create_user_pool(PoolName=name)["UserPool"]["Id"] for name in ("owner", "other"))
    cognito.create_user_pool_domain(Domain=domain, UserPoolId=owner)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        cognito.delete_user_pool_domain(Domain=domain, UserPoolId=other)
    cognito.delete_user_pool_domain(Domain=domain, UserPoolId=owner)
