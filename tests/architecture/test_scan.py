"""`make scan` fails on a finding without a justification, a justification without a finding, and a scanner that did not look."""

from __future__ import annotations

import re
import tomllib

import pytest
from scripts.scan import subject
from scripts.scan.findings import ACCEPTED, Accepted, Finding, Outcome, judge, read_accepted
from scripts.scan.report import render
from scripts.scan.tools import read_cloudsplaining, read_sslyze

from architecture.sources import ROOT
from sre_agent_deploy.instance import systemd

FOUND = Finding("checkov", "CKV_1", "AWS::S3::Bucket.Bucket", "no log")
STAYS = Accepted("checkov", "CKV_1", "AWS::S3::*", "it needs a second bucket")


@pytest.mark.parametrize(
    ("outcome", "accepted", "code"),
    [
        (Outcome("checkov"), (), 0),
        (Outcome("checkov", (FOUND,)), (), 1),
        (Outcome("checkov", (FOUND,)), (STAYS,), 0),
        (Outcome("checkov"), (STAYS,), 1),
        (Outcome("checkov", not_run="no network"), (), 2),
        (Outcome("checkov", (FOUND, Finding("checkov", "CKV_1", "AWS::SNS::Topic.Topic", "no log"))), (STAYS,), 1),
        (Outcome("cfn-lint", (Finding("cfn-lint", "CKV_1", "AWS::S3::Bucket.Bucket", "no log"),)), (), 1),
    ],
)
def test_judgement(outcome: Outcome, accepted: tuple[Accepted, ...], code: int) -> None:
    """Only findings with a reason, and reasons with a finding, pass; a scanner that did not run has a code of its own, and is named."""
    judgement = judge((outcome,), accepted)
    assert (judgement.exit_code, judgement.passed) == (code, code == 0)
    text = render((outcome,), judgement, "", ())
    assert text.startswith(f"# Scan: {('passed', 'FAILED', 'INCOMPLETE')[code]}")
    assert ("- checkov: no network" in text) is (code == 2)
    assert ('make scan ARGS="--without checkov"' in text) is (code == 2)


def test_a_scanner_that_did_not_run_makes_no_entry_outdated() -> None:
    """An entry is outdated only if its scanner ran."""
    assert judge((Outcome("checkov", not_run="no network"),), (STAYS,)).outdated == ()


def test_what_is_read_of_scanners_that_print_text() -> None:
    """cloudsplaining ends with 0 with any findings, and sslyze names the place above its rules: both are read line by line."""
    printed = "\x1b[91mPotential Issue found: Policy is capable of Data Exfiltration\x1b[0m\nActions: s3:GetObject\n"
    assert [(one.rule, one.where) for one in read_cloudsplaining("sre-0123456789-deployer-1", printed)] == [
        ("Data Exfiltration", "deployer-1")
    ]
    judged = "  127.0.0.1:443: OK - Compliant.\n\n  127.0.0.1:8443: FAILED - Not compliant.\n      * ciphers: X is supported\n"
    places = {"127.0.0.1:443": "front door", "127.0.0.1:8443": "gateway"}
    assert [(one.rule, one.where) for one in read_sslyze(judged, places)] == [("ciphers", "gateway")]


def test_every_unit_is_scanned() -> None:
    """Every module that renders units of a machine renders them for the scan, too."""
    renderers = {name for name in vars(systemd) if name.startswith("render_") and name.endswith(("_unit", "_units"))}
    assert len(renderers) > 3
    assert renderers <= vars(subject).keys()


def test_reasons() -> None:
    """Each entry has a reason, and one without is refused."""
    assert read_accepted(ACCEPTED.read_text())
    with pytest.raises(ValueError, match="CKV_2"):
        read_accepted('[[accepted]]\ntool = "checkov"\nrule = "CKV_2"\nwhere = "*"\nwhy = "fine"\n')


def test_scanners_are_no_dependencies() -> None:
    """The product's lock has no scanner but those that its own tests use, and each scanner is locked with hashes."""
    locked = {package["name"] for package in tomllib.loads((ROOT / "uv.lock").read_text())["package"]}
    assert not locked & {"checkov", "cloudsplaining", "pip-audit", "prowler", "sslyze"}
    for lock in ("requirements", "prowler"):
        text = (ROOT / f"scripts/scan/{lock}.txt").read_text()
        assert len(re.findall(r"^[a-z0-9._-]+(?:\[[^\]]+\])?==", text, re.MULTILINE)) <= text.count("--hash=sha256:")
