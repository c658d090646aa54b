"""Some resources remain in AWS after their deletion, or are protected: cleanup waits for them, or says what a person must do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fixtures.acm import import_certificate
from fixtures.engine import Engine
from sre_agent_deploy.plan import Action
from sre_core.problem import Problem


def _only(problems: tuple[Problem, ...]) -> Problem:
    [problem] = problems
    return problem


def test_resources_that_aws_releases_later(engine: Engine, faults: Callable[..., None]) -> None:
    """A network interface, a domain prefix and the name of a secret become free only later; the user sees only a wait."""
    faults({"kind": "linger", "seconds": 1.0})
    engine.parts = ("instance", "user_pool_domain", "backend_key")
    engine.deploy()
    assert engine.cleanup().problems == ()
    engine.deploy()


def test_a_domain_that_is_on_its_way_out(engine: Engine, faults: Callable[..., None]) -> None:
    """It is created again when Cognito has released it, and nothing more is lost."""
    engine.parts = ("user_pool_domain",)
    engine.deploy()
    cognito, pool = engine.client("cognito-idp"), engine.id_of("user_pool")
    faults({"kind": "linger", "seconds": 2.0})
    cognito.delete_user_pool_domain(UserPoolId=pool, Domain=engine.id)
    plan = engine.plan()
    change = plan.change("user_pool_domain")
    assert (change.action, change.because, change.loses) == (Action.REPLACE, "it is being deleted", "")
    engine.deploy(plan)
    assert cognito.describe_user_pool_domain(Domain=engine.id)["DomainDescription"]["Status"] == "ACTIVE"


def test_a_security_group_that_others_use(engine: Engine) -> None:
    """Cleanup names the interface and the group that hold it, at once, and deletes all else."""
    engine.parts = ("security_group", "address")
    engine.deploy()
    ec2, group = engine.client("ec2"), engine.id_of("security_group")
    interface = ec2.create_network_interface(SubnetId=engine.site.subnet_id, Groups=[group])["NetworkInterface"]["NetworkInterfaceId"]
    other = ec2.create_security_group(GroupName=f"{engine.name}-theirs", Description="theirs")["GroupId"]
    rule = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "UserIdGroupPairs": [{"GroupId": group}]}
    ec2.authorize_security_group_ingress(GroupId=other, IpPermissions=[rule])

    problem = _only(engine.cleanup().problems)
    assert problem.code == "SECURITY-GROUP-IN-USE"
    assert interface in problem.why
    assert other in problem.why
    assert [record.name for record in engine.state.alive()] == ["security_group"]

    ec2.delete_network_interface(NetworkInterfaceId=interface)
    ec2.delete_security_group(GroupId=other)
    assert engine.cleanup().problems == ()


def test_a_machine_that_was_protected_by_hand(engine: Engine) -> None:
    """It is not terminated, and cleanup says with which command it may be; what it uses stays with it."""
    engine.parts = ("instance",)
    engine.deploy()
    ec2, instance = engine.client("ec2"), engine.id_of("instance")
    for attribute in ("DisableApiTermination", "DisableApiStop"):
        ec2.modify_instance_attribute(InstanceId=instance, **{attribute: {"Value": True}})

        problems = engine.cleanup().problems
        assert "INSTANCE-PROTECTED" in {problem.code for problem in problems}, attribute
        problem = next(problem for problem in problems if problem.code == "INSTANCE-PROTECTED")
        assert f"--instance-id {instance}" in problem.do[0]
        assert ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]["State"]["Name"] == "running"

        ec2.modify_instance_attribute(InstanceId=instance, **{attribute: {"Value": False}})
    assert engine.cleanup().problems == ()


def test_a_user_pool_that_was_protected_by_hand(engine: Engine) -> None:
    """Its users stay until a person runs the command of the message, which removes the protection."""
    engine.parts = ("user_pool",)
    engine.deploy()
    cognito, pool = engine.client("cognito-idp"), engine.id_of("user_pool")
    tags = cognito.describe_user_pool(UserPoolId=pool)["UserPool"]["UserPoolTags"]
    cognito.update_user_pool(UserPoolId=pool, DeletionProtection="ACTIVE", UserPoolTags=tags)

    problem = _only(engine.cleanup().problems)
    assert problem.code == "COGNITO-POOL-PROTECTED"
    assert f"--user-pool-id {pool} --deletion-protection INACTIVE" in problem.do[0]

    # The command repeats the tags by which the pool is known as ours, since an update resets what it does not name.
    repeated = dict(pair.split("=") for pair in problem.do[0].rpartition("--user-pool-tags ")[2].strip("'").split(","))
    cognito.update_user_pool(UserPoolId=pool, DeletionProtection="INACTIVE", UserPoolTags=repeated)
    assert engine.cleanup().problems == ()


def test_an_address_that_mail_is_sent_from(engine: Engine) -> None:
    """A reverse DNS record keeps an Elastic IP; cleanup says how to take it off."""
    engine.parts = ("address",)
    engine.deploy()
    ec2, address = engine.client("ec2"), engine.id_of("address")
    ec2.modify_address_attribute(AllocationId=address, DomainName="mail.example.com")

    problem = _only(engine.cleanup().problems)
    assert problem.code == "ELASTIC-IP-LOCKED"
    assert f"--allocation-id {address}" in problem.do[0]

    ec2.reset_address_attribute(AllocationId=address, Attribute="domain-name")
    assert engine.cleanup().problems == ()


def _secret_by_hand(engine: Engine, name: str, tags: dict[str, str]) -> None:
    secrets = engine.client("secretsmanager")
    secrets.create_secret(Name=name, SecretString="precious", Tags=[{"Key": key, "Value": value} for key, value in tags.items()])
    secrets.delete_secret(SecretId=name, RecoveryWindowInDays=7)


@pytest.mark.parametrize("lost", [False, True])
def test_secrets_in_their_recovery_window(engine: Engine, lost: bool) -> None:
    """Those of ours are restored by the next deployment, with their values, and deleted for good by a cleanup."""
    engine.parts = ("certificate", "gateway_client_secret", "backend_key")
    engine.deploy()
    secrets, name = engine.client("secretsmanager"), engine.id_of("backend_key")
    value = secrets.get_secret_value(SecretId=name)["SecretString"]
    for resource in engine.parts:
        secrets.delete_secret(SecretId=engine.id_of(resource), RecoveryWindowInDays=7)
    if lost:
        engine.forget()
    engine.deploy()
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == value

    for resource in engine.parts:
        secrets.delete_secret(SecretId=engine.id_of(resource), RecoveryWindowInDays=7)
    assert engine.cleanup(lost=lost).problems == ()
    listed = secrets.list_secrets(IncludePlannedDeletion=True, Filters=[{"Key": "name", "Values": [f"{engine.id}/"]}])["SecretList"]
    assert listed == []


def test_a_strangers_secret_in_its_recovery_window(engine: Engine) -> None:
    """It keeps its name, so the plan stops; it is neither restored nor deleted."""
    engine.parts = ("backend_key",)
    name = f"{engine.id}/backend-api-key"
    _secret_by_hand(engine, name, {})
    assert [(problem.code, problem.context["resource"]) for problem in engine.plan().problems] == [("EXISTS-NOT-OURS", "backend_key")]
    assert engine.cleanup(lost=True).deleted == ()
    secrets = engine.client("secretsmanager")
    secrets.restore_secret(SecretId=name)
    assert secrets.get_secret_value(SecretId=name)["SecretString"] == "precious"
    secrets.delete_secret(SecretId=name, ForceDeleteWithoutRecovery=True)


def test_a_role_that_was_widened_by_hand(engine: Engine) -> None:
    """Policies, a boundary and an instance profile that were added by hand are taken off it, and stay themselves."""
    engine.parts = ("instance_role",)
    engine.deploy()
    iam, role = engine.client("iam"), engine.id_of("instance_role")
    allow = '{"Effect": "Allow", "Action": "s3:ListAllMyBuckets", "Resource": "*"}'
    document = f'{{"Version": "2012-10-17", "Statement": [{allow}]}}'
    policy = iam.create_policy(PolicyName=f"{engine.name}-theirs", PolicyDocument=document)["Policy"]["Arn"]
    iam.attach_role_policy(RoleName=role, PolicyArn=policy)
    iam.put_role_policy(RoleName=role, PolicyName="theirs", PolicyDocument=document)
    iam.put_role_permissions_boundary(RoleName=role, PermissionsBoundary=policy)
    iam.create_instance_profile(InstanceProfileName=f"{engine.name}-theirs")
    iam.add_role_to_instance_profile(InstanceProfileName=f"{engine.name}-theirs", RoleName=role)

    assert engine.cleanup().problems == ()
    assert iam.get_instance_profile(InstanceProfileName=f"{engine.name}-theirs")["InstanceProfile"]["Roles"] == []
    iam.delete_instance_profile(InstanceProfileName=f"{engine.name}-theirs")
    iam.delete_policy(PolicyArn=policy)


def test_a_pool_with_a_domain_that_was_added_by_hand(engine: Engine, tmp_path: Path) -> None:
    """Cognito keeps a pool that has a domain: one that was added by hand goes first."""
    engine.parts = ("user_pool_domain",)
    engine.deploy()
    cognito, pool = engine.client("cognito-idp"), engine.id_of("user_pool")
    domain, zone = f"login.{engine.name}.example.com", f"{engine.name}.example.com"
    certificate = import_certificate(engine.client("acm"), domain, tmp_path / "authority")
    route53 = engine.client("route53")
    hosted = route53.create_hosted_zone(Name=zone, CallerReference=zone)["HostedZone"]["Id"]
    record: Any = {"Name": zone, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.7"}]}
    route53.change_resource_record_sets(HostedZoneId=hosted, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]})
    cognito.create_user_pool_domain(UserPoolId=pool, Domain=domain, CustomDomainConfig={"CertificateArn": certificate})
    assert engine.cleanup().problems == ()
    assert not cognito.describe_user_pool_domain(Domain=domain)["DomainDescription"]


def test_a_gateway_with_a_target_that_was_added_by_hand(engine: Engine) -> None:
    """AgentCore keeps a gateway that has targets: all of them are deleted first, those of other owners too."""
    engine.parts = ("gateway", "credential_provider")
    engine.deploy()
    agentcore, gateway = engine.client("bedrock-agentcore-control"), engine.id_of("gateway")
    api = '{"openapi": "3.0.0", "info": {"title": "theirs", "version": "1"}, "servers": [{"url": "https://example.com"}], "paths": {}}'
    provider = agentcore.get_api_key_credential_provider(name=engine.id_of("credential_provider"))["credentialProviderArn"]
    key = {"providerArn": provider, "credentialLocation": "HEADER", "credentialParameterName": "X-API-Key"}
    agentcore.create_gateway_target(
        gatewayIdentifier=gateway,
        name="theirs",
        targetConfiguration={"mcp": {"openApiSchema": {"inlinePayload": api}}},
        credentialProviderConfigurations=[
            {"credentialProviderType": "API_KEY", "credentialProvider": {"apiKeyCredentialProvider": key}},
        ],
    )
    assert engine.cleanup().problems == ()
    assert gateway not in [each["gatewayId"] for each in agentcore.list_gateways()["items"]]
