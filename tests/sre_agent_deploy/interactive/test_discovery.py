"""Proposals from the account, found over the wire in the local AWS."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from fixtures.embedded import EmbeddedAws, served
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.interactive.proposals import NOTHING, Discovery, find_default_region

from .conftest import Sits


def environ_of(aws: EmbeddedAws) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_CA_BUNDLE": aws.ca_file,
        "AWS_ACCESS_KEY_ID": aws.registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": aws.registry["secret_access_key"],
        "AWS_REGION": aws.region,
    }


@pytest.fixture
def account(tmp_path: Path) -> Iterator[EmbeddedAws]:
    """An account that holds only what its test makes there."""
    with served(tmp_path / "account", "--no-boot") as aws:
        yield aws


def test_what_the_account_has_is_proposed(account: EmbeddedAws, tmp_path: Path, sits_at: Sits) -> None:
    """Account, VPC, public subnet, domain and hosted zone: Enter or a number is enough."""
    ec2 = account.client("ec2")
    vpc = ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
    hidden = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24")["Subnet"]["SubnetId"]
    public = ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.2.0/24")["Subnet"]["SubnetId"]
    ec2.modify_subnet_attribute(SubnetId=public, MapPublicIpOnLaunch={"Value": True})
    zone = account.client("route53").create_hosted_zone(Name="shop.example.org", CallerReference="interactive")["HostedZone"]["Id"]

    account.client("eks").create_cluster(name="shop-prod", roleArn="arn:aws:iam::123456789012:role/c", resourcesVpcConfig={})
    for group in ("/aws/lambda/checkout", "sre-0123456789-nginx"):
        account.client("logs").create_log_group(logGroupName=group)
    workspace = account.client("amp").create_workspace(alias="shop")["workspaceId"]

    person = sits_at("init", "--interactive", "--mode", "production", **environ_of(account))
    person.answers(("name", "shop"), ("aws.region", ""))
    person.comes_to("aws.account_id", account.account_id)
    person.types("")
    offered = person.comes_to("aws.vpc_id", "the default VPC")
    person.types(next(line.split()[0] for line in offered.splitlines() if vpc in line))
    assert hidden not in person.comes_to("aws.subnet_id", public)
    person.types("1")
    person.comes_to("deployment.domain_name", "sre.shop.example.org")
    person.types("")
    person.answers(
        ("deployment.hosted_zone_id", ""), ("tls.source", ""), ("deployment.ssl_cert_path", "c.pem"),
        ("deployment.ssl_key_path", "k.pem"), ("deployment.ssl_ca_path", ""), ("systems of your own", "y"),
    )  # fmt: skip
    person.comes_to("services.kubernetes", "eks:shop-prod")
    person.types("1")
    person.comes_to("services.logs", "cloudwatch:/aws/lambda/checkout")
    person.types("1, 2")
    person.comes_to("services.metrics", workspace)
    person.types("1")
    person.answers(("services.runbooks", ""), ("optional settings", "n"))
    person.answers_review("")
    assert person.leaves() == 0, person.seen
    config = load(tmp_path / "config.yaml", environ={}, mode=None)
    assert isinstance(config, Config), config
    assert (config.aws.account_id, config.aws.vpc_id, config.aws.subnet_id) == (account.account_id, vpc, public)
    assert config.deployment.domain_name == "sre.shop.example.org"
    assert config.deployment.hosted_zone_id == zone.removeprefix("/hostedzone/")
    [metrics], (pods, groups) = config.services.metrics, config.services.logs
    assert (config.services.kubernetes[0].cluster, pods.cluster, groups.log_groups) == ("shop-prod", "shop-prod", ("/aws/lambda/checkout",))
    assert metrics.url.endswith(f"/workspaces/{workspace}")
    assert account.registry["secret_access_key"] not in person.seen + (tmp_path / "config.yaml").read_text()


@pytest.fixture
def silent_endpoint() -> Iterator[str]:
    """Accept connections and never answer."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"https://127.0.0.1:{server.getsockname()[1]}"


def test_an_account_that_does_not_answer(silent_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no long wait: the questions continue without proposals."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "none")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "none")
    assert Discovery("us-east-1", {"AWS_ENDPOINT_URL": silent_endpoint}).wait() == NOTHING


def test_the_usual_region(tmp_path: Path) -> None:
    """The environment's region, else the one of the profile in use; a damaged file is no error."""
    file = tmp_path / "config"
    file.write_text("[default]\nregion = eu-west-1\n[profile ops]\nregion = eu-north-1\n")
    environ = {"AWS_CONFIG_FILE": str(file)}
    assert find_default_region({**environ, "AWS_DEFAULT_REGION": "us-west-2"}) == "us-west-2"
    assert find_default_region(environ) == "eu-west-1"
    assert find_default_region({**environ, "AWS_PROFILE": "ops"}) == "eu-north-1"
    assert find_default_region({**environ, "AWS_PROFILE": "other"}) == ""
    file.write_text("region = eu-west-1\n[")
    assert find_default_region(environ) == ""


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("url", ["127.0.0.1:4566", "http://127.0.0.1:4566"])
def test_an_endpoint_that_is_none(url: str) -> None:
    """Nothing is found and nothing reported: the question about the endpoint reports it. No secret is sent there."""
    assert Discovery("us-east-1", {"AWS_ENDPOINT_URL": url}).wait() == NOTHING
