"""Only this start's key and the keys that its own IAM and STS issued may sign requests."""

from __future__ import annotations

import json
import uuid

import pytest
from botocore.exceptions import ClientError

from fixtures.embedded import EmbeddedAws

CALLS = {
    "sts": "get_caller_identity",
    "iam": "list_roles",
    "s3": "list_buckets",
    "ec2": "describe_instances",
    "secretsmanager": "list_secrets",
    "route53": "list_hosted_zones",
    "ssm": "describe_parameters",
    "bedrock-agentcore-control": "list_gateways",
}
UNKNOWN = {
    "sts": "InvalidClientTokenId",
    "iam": "InvalidClientTokenId",
    "route53": "InvalidClientTokenId",
    "s3": "InvalidAccessKeyId",
    "ec2": "AuthFailure",
}
FORGED = {
    "sts": "SignatureDoesNotMatch",
    "iam": "SignatureDoesNotMatch",
    "route53": "SignatureDoesNotMatch",
    "s3": "SignatureDoesNotMatch",
    "ec2": "AuthFailure",
}


def refusal(client: object, call: str) -> tuple[str, int]:
    with pytest.raises(ClientError) as refused:
        getattr(client, call)()
    answer = refused.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"]


@pytest.mark.parametrize("service", CALLS)
def test_a_forged_signature_is_refused(embedded: EmbeddedAws, service: str) -> None:
    """Each service answers with its own error, so that clients raise the same as on AWS."""
    code, status = refusal(embedded.client(service, aws_secret_access_key="guessed"), CALLS[service])

    assert code == FORGED.get(service, "InvalidSignatureException")
    assert status == (401 if service == "ec2" else 403)


@pytest.mark.parametrize("service", CALLS)
def test_an_unknown_key_is_refused(embedded: EmbeddedAws, service: str) -> None:
    """A key of real AWS, or of an earlier start, opens nothing here."""
    code, _ = refusal(embedded.client(service, aws_access_key_id="AKIAIOSFODNN7EXAMPLE"), CALLS[service])

    assert code == UNKNOWN.get(service, "UnrecognizedClientException")


def test_a_made_up_session_token_is_refused(embedded: EmbeddedAws) -> None:
    """Also beside a good key."""
    assert refusal(embedded.client("sts", aws_session_token="token"), "get_caller_identity")[0] == "InvalidClientTokenId"


def test_an_assumed_role_may_sign(embedded: EmbeddedAws) -> None:
    """STS's temporary credentials work, and say whose they are."""
    name = f"role-{uuid.uuid4().hex[:8]}"
    role = embedded.client("iam").create_role(
        RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": []})
    )
    given = embedded.client("sts").assume_role(RoleArn=role["Role"]["Arn"], RoleSessionName="session")["Credentials"]
    keys = {"aws_access_key_id": given["AccessKeyId"], "aws_secret_access_key": given["SecretAccessKey"]}
    sts = embedded.client("sts", **keys, aws_session_token=given["SessionToken"])

    assert sts.get_caller_identity()["Arn"] == f"arn:aws:sts::{embedded.account_id}:assumed-role/{name}/session"
    assert refusal(embedded.client("sts", **keys), "get_caller_identity")[0] == "InvalidClientTokenId"


def test_a_users_key_may_sign_until_it_is_deactivated(embedded: EmbeddedAws) -> None:
    """IAM's access keys are this AWS's own."""
    iam, name = embedded.client("iam"), f"user-{uuid.uuid4().hex[:8]}"
    iam.create_user(UserName=name)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    sts = embedded.client("sts", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])

    assert sts.get_caller_identity()["Arn"].endswith(f":user/{name}")
    iam.update_access_key(UserName=name, AccessKeyId=key["AccessKeyId"], Status="Inactive")
    assert refusal(sts, "get_caller_identity")[0] == "InvalidClientTokenId"


def test_published_example_keys_are_never_given_out(embedded: EmbeddedAws) -> None:
    """moto's GetSessionToken would hand out a key that is in AWS's documentation."""
    assert refusal(embedded.client("sts"), "get_session_token")[0] == "AccessDenied"


def test_a_role_that_does_not_exist_is_not_assumed(embedded: EmbeddedAws) -> None:
    """No session of a name that was made up."""
    with pytest.raises(ClientError, match="AccessDenied"):
        embedded.client("sts").assume_role(RoleArn=f"arn:aws:iam::{embedded.account_id}:role/absent", RoleSessionName="session")
