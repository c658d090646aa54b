"""A name of the user's for the login: created with its record, shown by Cognito, and removed with everything else."""

from __future__ import annotations

import dataclasses
import secrets
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx2
import pytest

from fixtures.acm import import_certificate
from fixtures.embedded import EmbeddedAws
from fixtures.engine import Engine
from sre_agent_deploy.account import AccountFacts
from sre_agent_deploy.checks import run_checks
from sre_agent_deploy.checks.preflight import Context
from sre_agent_deploy.checks.preflight.user_pool import CertificateFacts, LoginCertificateFits
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.plan import Action

LOGIN = ("user_pool_domain", "custom_domain", "custom_domain_record", "caller_client")


@pytest.fixture
def engine(unbooted: EmbeddedAws, site: AccountFacts, tmp_path: Path) -> Iterator[Engine]:
    """A deployment of the login alone, in a hosted zone whose own name has an address."""
    zone = f"z{secrets.token_hex(4)}.example.com"
    route53 = unbooted.client("route53")
    id = route53.create_hosted_zone(Name=zone, CallerReference=zone)["HostedZone"]["Id"].rpartition("/")[2]
    address = {"Name": zone, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}]}
    route53.change_resource_record_sets(HostedZoneId=id, ChangeBatch={"Changes": [{"Action": "CREATE", "ResourceRecordSet": address}]})
    certificate = import_certificate(unbooted.client("acm"), f"*.{zone}", tmp_path / "authority")
    sections = {
        "deployment": {"domain_name": f"sre.{zone}", "hosted_zone_id": id},
        "credentials": {"custom_domain": f"auth.{zone}", "custom_domain_certificate": certificate},
    }
    engine = Engine(unbooted, dataclasses.replace(site, zone_name=zone), tmp_path, sections=sections, parts=LOGIN)
    yield engine
    engine.discard()


def test_from_the_configuration_to_the_cleanup(engine: Engine) -> None:
    """Cognito shows the custom domain alone, the record leads to CloudFront, its prefix still issues tokens, and nothing is left."""
    engine.deploy()
    custom, zone = engine.sections["credentials"]["custom_domain"], engine.sections["deployment"]["hosted_zone_id"]
    change = engine.plan().change("custom_domain")
    discovery = str(engine.plan().change("user_pool").outputs["discovery_url"])
    trust = ssl.create_default_context(cafile=engine.embedded.ca_file)
    with httpx2.Client(verify=trust, trust_env=False) as http:
        endpoint = http.get(discovery).json()["token_endpoint"]
        assert endpoint.endswith(f"/{custom}/oauth2/token")
        codes = {http.post(each, data={"grant_type": "x"}).json()["error"] for each in (endpoint, endpoint.replace(custom, engine.id))}
        assert codes == {"invalid_client"}
    records = engine.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    [alias] = [record["AliasTarget"] for record in records if "AliasTarget" in record]
    assert (alias["HostedZoneId"], alias["DNSName"].rstrip(".")) == ("Z2FDTNDATAQYW2", change.outputs["cloudfront_domain"])
    engine.forget()
    assert engine.changes() == {}
    engine.deploy()
    assert engine.cleanup().problems == ()
    left = engine.client("route53").list_resource_record_sets(HostedZoneId=zone)["ResourceRecordSets"]
    assert {record["Type"] for record in left} == {"A", "NS", "SOA"}
    assert engine.client("cognito-idp").describe_user_pool_domain(Domain=custom)["DomainDescription"] == {}


def test_below_the_name_of_the_deployment(engine: Engine, tmp_path: Path) -> None:
    """The record of the name above is created first, so that one deployment is enough."""
    own = engine.sections["deployment"]["domain_name"]
    certificate = import_certificate(engine.client("acm"), f"auth.{own}", tmp_path / "authority")
    engine.sections["credentials"] = {"custom_domain": f"auth.{own}", "custom_domain_certificate": certificate}
    engine.deploy()
    assert engine.changes() == {}
    assert engine.plan().change("custom_domain").outputs["domain"] == f"auth.{own}"


def test_dns_elsewhere(engine: Engine) -> None:
    """In a zone that does not contain the name no record is declared, and without the setting no domain."""
    engine.parts = ()
    engine.site = dataclasses.replace(engine.site, zone_name="another.example.com")
    names = {item.name for item in engine.wanted}
    assert "custom_domain" in names
    assert "custom_domain_record" not in names
    engine.sections["credentials"] = {}
    assert not {"custom_domain", "custom_domain_record"} & {item.name for item in engine.wanted}


@pytest.mark.parametrize(("fault", "why"), [("", ""), ("absent", "does not exist"), ("name", "it names *.z")])
def test_the_certificate_before_a_deployment(engine: Engine, fault: str, why: str) -> None:
    """It must exist in us-east-1, be issued, and name the domain; the problem says which of these is missing."""
    chosen = engine.sections["credentials"]
    if fault == "absent":
        chosen["custom_domain_certificate"] = chosen["custom_domain_certificate"][:-1] + "x"
    if fault == "name":
        chosen["custom_domain"] = f"too.deep.{engine.site.zone_name}"
    config = Config.model_validate({"mode": "local", "name": engine.name, **engine.sections})
    [finding] = run_checks([LoginCertificateFits()], Context(config, engine.aws, datetime.now(UTC)))
    assert finding.status == ("failed" if fault else "passed")
    assert why in (finding.problem.why if finding.problem else "")


@pytest.mark.parametrize("status", ["PENDING_VALIDATION", "EXPIRED", "REVOKED"])
def test_a_certificate_that_is_not_issued(status: str) -> None:
    """Cognito would refuse it, with any names in it."""
    verdict = LoginCertificateFits().judge(CertificateFacts("auth.example.com", "arn", status, ("auth.example.com",)))
    assert verdict.holds is False
    assert verdict.problem
    assert status in verdict.problem.why


def test_a_certificate_changed_by_hand(engine: Engine, tmp_path: Path) -> None:
    """Another certificate, and a record that leads elsewhere, are shown and set back."""
    engine.deploy()
    chosen, zone = engine.sections["credentials"], engine.sections["deployment"]["hosted_zone_id"]
    other = import_certificate(engine.client("acm"), chosen["custom_domain"], tmp_path / "authority")
    engine.client("cognito-idp").update_user_pool_domain(
        UserPoolId=engine.id_of("user_pool"), Domain=chosen["custom_domain"], CustomDomainConfig={"CertificateArn": other}
    )
    target = {"HostedZoneId": "Z2FDTNDATAQYW2", "DNSName": "d0000000000000.cloudfront.net", "EvaluateTargetHealth": False}
    moved = {"Name": chosen["custom_domain"], "Type": "A", "AliasTarget": target}
    engine.client("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": moved}]}
    )
    assert engine.changes() == {"custom_domain": Action.UPDATE, "custom_domain_record": Action.UPDATE}
    engine.deploy()
