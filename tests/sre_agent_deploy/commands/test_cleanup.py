"""Cleanup deletes everything of one deployment, and nothing else: what the user named, and everything in it, is as it was before."""

from __future__ import annotations

from typing import Any

import pytest

from behaviours import lister
from fixtures.cut import refused
from fixtures.engine import Engine
from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.resources import kinds
from sre_core.problem import Refused


@pytest.fixture
def theirs(engine: Engine) -> dict[str, Any]:
    """Create what the user has: a pool with a domain, a resource server, a client and a person; a bucket with a file; a credential
    provider."""
    engine.parts = ("caller_client", "gateway_client", "user_pool_domain", "release", "credential_provider")
    cognito, name = engine.client("cognito-idp"), engine.name
    pool = cognito.create_user_pool(PoolName=f"{name}-theirs")["UserPool"]["Id"]
    cognito.create_user_pool_domain(UserPoolId=pool, Domain=f"{name}-theirs")
    cognito.create_resource_server(
        UserPoolId=pool,
        Identifier="sre-agent",
        Name="theirs",
        Scopes=[{"ScopeName": "gateway.invoke", "ScopeDescription": "theirs"}],
    )
    cognito.create_user_pool_client(UserPoolId=pool, ClientName="theirs")
    cognito.admin_create_user(UserPoolId=pool, Username="ada")
    engine.client("s3").create_bucket(Bucket=f"{name}-theirs")
    engine.client("s3").put_object(Bucket=f"{name}-theirs", Key="precious", Body=b"data")
    provider = engine.client("bedrock-agentcore-control").create_api_key_credential_provider(name=f"{name}-theirs", apiKey="theirs")
    engine.sections |= {
        "credentials": {"user_pool_id": pool, "cognito_domain": f"{name}-theirs"},
        "gateway": {"s3_bucket": f"{name}-theirs", "provider_arn": provider["credentialProviderArn"]},
    }
    return {"pool": pool, "bucket": f"{name}-theirs"}


def _seen(engine: Engine, pool: str) -> Any:
    cognito = engine.client("cognito-idp")
    clients = cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"]
    return (
        cognito.describe_user_pool(UserPoolId=pool)["UserPool"],
        cognito.list_resource_servers(UserPoolId=pool, MaxResults=50)["ResourceServers"],
        [cognito.describe_user_pool_client(UserPoolId=pool, ClientId=each["ClientId"])["UserPoolClient"] for each in clients],
        lister.everything(engine.client),
    )


def test_cleanup_of_a_deployment_that_uses_what_the_user_has(engine: Engine, theirs: dict[str, Any]) -> None:
    """Our resources inside the user's are found and deleted; the user's are never adopted, changed or deleted."""
    before = _seen(engine, theirs["pool"])
    engine.deploy()
    assert _seen(engine, theirs["pool"]) != before
    cleaned = engine.cleanup()
    assert not cleaned.problems
    assert _seen(engine, theirs["pool"]) == before


def test_a_lost_state_file_among_what_the_user_has(engine: Engine, theirs: dict[str, Any]) -> None:
    """Our resources in the user's pool and bucket are known by their names, so another deployment adopts them and creates no second
    ones."""
    before = _seen(engine, theirs["pool"])
    engine.deploy()
    clients = len(_seen(engine, theirs["pool"])[2])
    engine.forget()
    engine.deploy()
    assert len(_seen(engine, theirs["pool"])[2]) == clients
    engine.forget()
    assert not engine.cleanup(lost=True).problems
    assert _seen(engine, theirs["pool"]) == before


def _without_checksum(engine: Engine) -> str:
    """The state file without the line that a person deletes who edits it on purpose."""
    return "\n".join(line for line in engine.store.path.read_text().splitlines() if '"checksum": ' not in line)


def test_a_journal_that_was_edited(engine: Engine, theirs: dict[str, Any]) -> None:
    """If the journal names a foreign client in the user's pool, cleanup refuses, and says so."""
    engine.deploy()
    cognito, pool = engine.client("cognito-idp"), theirs["pool"]
    [client] = [
        each for each in cognito.list_user_pool_clients(UserPoolId=pool, MaxResults=60)["UserPoolClients"] if each["ClientName"] == "theirs"
    ]
    document = _without_checksum(engine)
    engine.store.path.write_text(document.replace(engine.id_of("caller_client"), f"{pool}/{client['ClientId']}"))
    assert [problem.code for problem in engine.cleanup().problems] == ["CLEANUP-NOT-OURS"]
    assert cognito.describe_user_pool_client(UserPoolId=pool, ClientId=client["ClientId"])


# What AWS refuses, or does half, in the other order.
BEFORE = {
    "AWS::S3::Object": {"AWS::S3::Bucket"},
    "AWS::Cognito::UserPoolDomain": {"AWS::Cognito::UserPool"},
    "AWS::Cognito::UserPoolResourceServer": {"AWS::Cognito::UserPool"},
    "AWS::Cognito::UserPoolClient": {"AWS::Cognito::UserPool", "AWS::Cognito::UserPoolResourceServer"},
    "AWS::BedrockAgentCore::Gateway": {"AWS::Cognito::UserPool", "AWS::IAM::Role"},
    "AWS::BedrockAgentCore::GatewayTarget": {"AWS::BedrockAgentCore::Gateway", "AWS::BedrockAgentCore::ApiKeyCredentialProvider"},
    "AWS::BedrockAgentCore::Runtime": {"AWS::Cognito::UserPool", "AWS::IAM::Role", "AWS::Logs::LogGroup"},
    "AWS::BedrockAgentCore::RuntimeEndpoint": {"AWS::BedrockAgentCore::Runtime"},
    "AWS::BedrockAgentCore::ApiKeyCredentialProvider": {"AWS::SecretsManager::Secret"},
    "AWS::IAM::InstanceProfile": {"AWS::IAM::Role"},
    "AWS::EKS::AccessEntry": {"AWS::IAM::Role"},
    "AWS::EC2::Instance": {
        "AWS::EC2::SecurityGroup",
        "AWS::IAM::InstanceProfile",
        "AWS::S3::Bucket",
        "AWS::SecretsManager::Secret",
        "AWS::EC2::Subnet",
    },
    "AWS::EC2::SecurityGroup": {"AWS::EC2::VPC"},
    "AWS::EC2::InternetGateway": {"AWS::EC2::VPC"},
    "AWS::EC2::RouteTable": {"AWS::EC2::VPC", "AWS::EC2::InternetGateway"},
    "AWS::EC2::Subnet": {"AWS::EC2::VPC", "AWS::EC2::RouteTable"},
    "AWS::EC2::VPCEndpoint": {"AWS::EC2::VPC", "AWS::EC2::Subnet", "AWS::EC2::RouteTable", "AWS::EC2::SecurityGroup"},
    "AWS::EC2::EIPAssociation": {"AWS::EC2::Instance", "AWS::EC2::EIP"},
    "AWS::Route53::RecordSet": {"AWS::EC2::EIP", "AWS::EC2::EIPAssociation", "AWS::Cognito::UserPoolDomain"},
    "AWS::Route53::HealthCheck": {"AWS::EC2::Instance"},
    "AWS::CloudWatch::Alarm": {"AWS::Route53::HealthCheck"},
    "AWS::CloudTrail::Trail": {"AWS::S3::Bucket", "AWS::Logs::LogGroup", "AWS::IAM::Role"},
    "AWS::Logs::MetricFilter": {"AWS::Logs::LogGroup"},
    "AWS::Logs::DeliverySource": {"AWS::BedrockAgentCore::Gateway"},
    "AWS::Logs::DeliveryDestination": {"AWS::Logs::LogGroup"},
    "AWS::Logs::Delivery": {"AWS::Logs::DeliverySource", "AWS::Logs::DeliveryDestination"},
}


def test_the_order_of_deletion() -> None:
    """Each kind is deleted before the kinds that it uses."""
    assert {kind.KIND: kinds.delete_before(kind) for kind in kinds.ORDER if kinds.delete_before(kind)} == BEFORE
    sorter, order = kinds.teardown([kind.KIND for kind in kinds.ORDER]), list[str]()
    while sorter.is_active():
        order += (ready := sorter.get_ready())
        sorter.done(*ready)
    assert all(order.index(kind) < order.index(used) for kind, others in BEFORE.items() for used in others)


def test_the_order_of_deletion_and_the_blueprint(site: AccountFacts) -> None:
    """Nothing that a resource of the blueprint refers to is deleted before it."""
    settings = {
        "aws": {"network": "create"},
        "deployment": {"domain_name": "sre.example.com", "hosted_zone_id": "Z0123456789ABCDEFGHIJ"},
    }
    drawn = blueprint(Config.model_validate({"mode": "local", "name": "order", **settings}), site)
    kind_of = {item.name: item.resource.KIND for item in drawn}
    references = {(kind_of[name], kind_of[other]) for name, others in drawn.needs().items() for other in others}
    assert len(references) > 15
    assert [(kind, used) for kind, used in references if kind != used and kind in _deleted_after(used)] == []


def _deleted_after(kind: str) -> set[str]:
    """All that `kind` uses, what that uses, and so on."""
    used = set(kinds.delete_before(kinds.by_kind(kind)))
    return used.union(*map(_deleted_after, used))


def test_a_record_of_an_unknown_kind(engine: Engine) -> None:
    """Cleanup deletes everything else and reports what it left; a deployment does not begin."""
    engine.parts = ("address", "bucket")
    engine.deploy()
    address = engine.id_of("address")
    engine.store.path.write_text(_without_checksum(engine).replace("AWS::EC2::EIP", "AWS::Newer::Kind"))
    engine.parts = ("bucket",)
    with pytest.raises(Refused, match="STATE-UNKNOWN-KIND"):
        engine.plan()
    cleaned = engine.cleanup()
    assert [problem.code for problem in cleaned.problems] == ["CLEANUP-UNKNOWN-KIND"]
    # Its tag says what it is, with any text in the record.
    assert {entry.id for entry in cleaned.deleted} >= {address}


def test_a_listing_that_is_refused(engine: Engine) -> None:
    """It hides only what it alone would show: everything else is deleted, and the refusal is reported."""
    engine.parts = ("bucket", "address")
    engine.deploy()
    with refused(engine.aws, "iam", "ListRoles"):
        cleaned = engine.cleanup(lost=True)
    assert [problem.code for problem in cleaned.problems] == ["AWS-ACCESS-DENIED"]
    assert {entry.name for entry in cleaned.deleted} == {"bucket", "address"}
    assert engine.cleanup(lost=True).problems == ()


def test_a_volume_that_outlives_its_machine(engine: Engine) -> None:
    """Its data was kept on purpose: it is left, and reported until it is deleted or its tag removed."""
    engine.parts = ("instance",)
    engine.deploy()
    ec2, instance = engine.client("ec2"), engine.id_of("instance")
    [root] = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["BlockDeviceMappings"]
    keep = {"DeviceName": root["DeviceName"], "Ebs": {"DeleteOnTermination": False}}
    ec2.modify_instance_attribute(InstanceId=instance, BlockDeviceMappings=[keep])
    for _ in range(2):
        [problem] = engine.cleanup().problems
        assert problem.code == "CLEANUP-VOLUME-KEPT"
        assert root["Ebs"]["VolumeId"] in problem.do[0]
    ec2.delete_volume(VolumeId=root["Ebs"]["VolumeId"])
    assert engine.cleanup().problems == ()


def test_a_resource_that_is_created_again(engine: Engine) -> None:
    """The last listing shows it: it is deleted some more times, then reported, and never counted as deleted."""
    engine.parts = ("backend_key",)
    engine.deploy()
    secrets, name = engine.client("secretsmanager"), engine.id_of("backend_key")
    tags = secrets.describe_secret(SecretId=name)["Tags"]

    def make(**_: Any) -> None:
        if not secrets.list_secrets(Filters=[{"Key": "name", "Values": [name]}])["SecretList"]:
            secrets.create_secret(Name=name, SecretString="anew", Tags=tags)

    events = engine.aws.client("secretsmanager").meta.events
    events.register("before-call.secrets-manager.ListSecrets", make)
    try:
        assert [problem.code for problem in engine.cleanup().problems] == ["CLEANUP-MADE-ANEW"]
    finally:
        events.unregister("before-call.secrets-manager.ListSecrets", make)
    assert engine.cleanup().problems == ()
