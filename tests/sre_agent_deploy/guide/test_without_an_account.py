"""`guide` and `export` need no credentials and no network, and name the values that only the account knows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.cfn_lint import find_faults
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.guide import export_cloudformation, guide

ROOT = Path(__file__).parents[3]
CHINA, GOVCLOUD = "cn-north-1", "us-gov-west-1"


@pytest.fixture(autouse=True)
def nobody(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No credentials anywhere, and no AWS that answers."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://127.0.0.1:1")
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)


def request(
    folder: Path, *, mode: str = "production", account_id: str = "123456789012", region: str = "us-east-1", **sections: Any
) -> Request:
    """Write a configuration. Its certificate is on the machine that deploys, and not on this one."""
    certificate = {"ssl_cert_path": "/nowhere/fullchain.pem", "ssl_key_path": "/nowhere/privkey.pem"}
    document = {
        "version": 1,
        "name": "sre",
        "aws": {"account_id": account_id, "region": region},
        "deployment": {"domain_name": "sre.example.com", "hosted_zone_id": "Z0123456789ABCDEFGHIJ", **certificate},
        "tls": {"source": "files"},
        **sections,
    }
    if mode == "local":
        del document["tls"], document["deployment"]
    file = folder / "config.yaml"
    file.write_text(yaml.safe_dump({"mode": mode, **document}))
    return Request(config_file=file)


def parts(value: Any) -> Iterator[Any]:
    """Everything inside a template."""
    yield value
    for part in value.values() if isinstance(value, Mapping) else value if isinstance(value, list) else ():
        yield from parts(part)


def test_a_guide_without_credentials(tmp_path: Path) -> None:
    """Each value that only the account knows is shown as such."""
    written = guide(request(tmp_path))
    assert "VPC: <your VPC's id>" in written
    assert "Subnet: <the id of a public subnet of your VPC>" in written
    assert "/aws/service/ami-amazon-linux-latest" in written
    assert not re.findall(r"<[a-z_]+\.[a-z_]+>|⟦|\\u27e6", written)
    named = {Path(page) for page in re.findall(r"docs/[a-z/-]+\.md", written)}
    assert {page.stem for page in named} == {"certificates", "domain", "machine-access", "network", "region-and-model"}
    assert [page for page in named if not (ROOT / page).is_file()] == []


def test_a_guide_for_a_local_deployment(tmp_path: Path) -> None:
    """It starts no local AWS; the account's id and what follows from it are shown as such, too."""
    written = guide(request(tmp_path, mode="local", account_id=""))
    assert "# Deployment <your deployment's id>" in written
    assert "<your deployment's id>-gateway" in written
    assert not re.findall(r"<[a-z_]+\.[a-z_]+>|⟦|\\u27e6", written)
    assert not (tmp_path / "state" / "local-aws.json").exists()


@pytest.mark.parametrize(("mode", "account_id"), [("production", "123456789012"), ("local", "")])
def test_a_template_without_credentials(tmp_path: Path, mode: str, account_id: str) -> None:
    """They are parameters, and cfn-lint finds nothing wrong with the template."""
    written = export_cloudformation(request(tmp_path, mode=mode, account_id=account_id))
    assert "⟦" not in written
    assert "u27e6" not in written
    assert not re.findall(r"<[a-z_]+\.[a-z_]+>", written)
    assert "s3://<Ref Bucket>/sre-agent/" in written
    parameters = json.loads(written)["Parameters"]
    assert parameters["VpcId"]["Type"] == "AWS::EC2::VPC::Id"
    assert parameters["SubnetId"]["Type"] == "AWS::EC2::Subnet::Id"
    assert parameters["ImageId"]["Type"] == "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>"
    assert ("DeploymentId" in parameters) == (mode == "local")
    assert [text for severity, text in find_faults(written) if severity != "informational"] == []


def test_a_template_with_ipv6(tmp_path: Path) -> None:
    """It asks for no value that only the stack has: CloudFormation shows no IPv6 address of an instance, so a note says what to add."""
    network = {"account_id": "123456789012", "region": "us-east-1", "network": "create", "ipv6": True}
    written = export_cloudformation(request(tmp_path, aws=network))
    document = json.loads(written)
    assert [name for name in document["Parameters"] if "Ipv6" in name] == []
    assert "VpcIpv6" in document["Resources"]["Subnet"]["DependsOn"]
    by_hand = document["Resources"]["DnsRecord"]["Metadata"]["ByHand"]
    assert "AAAA record sre.example.com: (ipv6_address of instance)" in by_hand
    assert re.search(r"deployment-id=sre-[0-9a-f]{10}&", by_hand)
    assert [text for severity, text in find_faults(written) if severity == "error"] == []


def test_a_configuration_that_names_them(tmp_path: Path) -> None:
    """A value of the configuration is no parameter."""
    network = {"vpc_id": "vpc-0123456789abcdef0", "subnet_id": "subnet-0123456789abcdef0"}
    named = {"account_id": "123456789012", "region": "us-east-1", **network}
    written = export_cloudformation(request(tmp_path, aws=named))
    assert {"VpcId", "SubnetId"} & set(json.loads(written)["Parameters"]) == set()
    assert "vpc-0123456789abcdef0" in written


@pytest.mark.parametrize(("region", "partition"), [(CHINA, "aws-cn"), (GOVCLOUD, "aws-us-gov")])
def test_another_partition(tmp_path: Path, region: str, partition: str) -> None:
    """No ARN is of the partition `aws`: the guide names the right one, and the template has AWS's pseudo parameter."""
    here = request(tmp_path, region=region)
    written = guide(here)
    assert "arn:aws:" not in written
    assert f"arn:{partition}:s3:::" in written
    template = export_cloudformation(here)
    assert "arn:aws:" not in template
    assert {"Ref": "AWS::Partition"} in list(parts(json.loads(template)))
