"""The doctor's findings follow from its observations alone."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from sre_agent_deploy.config.environment import Reference
from sre_agent_deploy.doctor import ConfigObservation, Finding, Identity, Observations
from sre_agent_deploy.doctor.examine import examine
from sre_agent_deploy.doctor.variables import CREDENTIAL_VARIABLES, VARIABLES
from sre_core.problem import Problem
from sre_core.state_folder import find_problem

ROOT = Path(__file__).parents[3] / "src"

NOBODY = Problem(code="AWS-CREDENTIALS", what="There are no valid AWS credentials.", why="None.", do=("Sign in.",))
PRODUCTION = Observations(
    mode="production", python=(3, 12, 1), system="linux", environ={}, state_folder="/s", identity=Identity("123456789012")
)
LOCAL = replace(PRODUCTION, mode="local", identity=Identity(), libraries={"moto": "5.2.5"})


def said(seen: Observations, name: str) -> Finding:
    (finding,) = [finding for finding in examine(seen) if finding.name == name]
    return finding


def codes(seen: Observations) -> set[str]:
    return {finding.problem.code for finding in examine(seen) if finding.is_blocking and finding.problem}


@pytest.mark.parametrize("seen", [PRODUCTION, LOCAL])
def test_a_machine_that_has_everything(seen: Observations) -> None:
    """Nothing prevents a deployment; for each optional part the doctor says how to get it."""
    findings = examine(seen)
    assert not [finding for finding in findings if finding.is_blocking]
    assert all(finding.how for finding in findings if finding.status == "unset")


@pytest.mark.parametrize(
    ("seen", "code"),
    [
        (replace(PRODUCTION, python=(3, 11, 9)), "DOCTOR-PYTHON-OLD"),
        (replace(LOCAL, libraries={"moto": "", "aiohttp": "3"}), "DOCTOR-LIBRARY-MISSING"),
        (replace(LOCAL, system="darwin"), "DOCTOR-PROGRAM-MISSING"),
        (replace(PRODUCTION, environ={"AWS_ACCESS_KEY_ID": "AKIA1"}), "DOCTOR-KEYS-INCOMPLETE"),
        (replace(PRODUCTION, environ={"AWS_SECRET_ACCESS_KEY": "s"}), "DOCTOR-KEYS-INCOMPLETE"),
        (replace(PRODUCTION, environ={"AWS_ACCESS_KEY_ID": "ASIA1", "AWS_SECRET_ACCESS_KEY": "s"}), "DOCTOR-KEYS-INCOMPLETE"),
        (replace(PRODUCTION, environ={"AWS_PROFILE": "opps"}, profiles=frozenset({"ops"})), "DOCTOR-PROFILE-UNKNOWN"),
        (replace(PRODUCTION, config=ConfigObservation("c", True, account_id="210987654321")), "AWS-OTHER-ACCOUNT"),
        (replace(PRODUCTION, identity=Identity(problem=NOBODY)), "AWS-CREDENTIALS"),
        (replace(PRODUCTION, environ={"AWS_REGION": "us-east-1a"}), "DOCTOR-VARIABLE-INVALID"),
        (replace(PRODUCTION, environ={"AWS_ACCOUNT_ID": "1234"}), "DOCTOR-VARIABLE-INVALID"),
        (replace(PRODUCTION, environ={"AWS_ENDPOINT_URL": "http://127.0.0.1"}), "DOCTOR-VARIABLE-INVALID"),
        (replace(PRODUCTION, environ={"SRE_LOG": "debgu"}), "DOCTOR-VARIABLE-INVALID"),
        (replace(PRODUCTION, environ={"SSL_CERT_FILE": "/x"}, unreadable={"/x": "It is not there."}), "DOCTOR-VARIABLE-FILE"),
        (replace(PRODUCTION, environ={"SRE_AGENT__AWS__REGOIN": "x"}), "DOCTOR-OVERRIDE-UNKNOWN"),
        (replace(PRODUCTION, config=ConfigObservation("c", True, references=(Reference("NAME", "name"),))), "CONFIG-ENV-MISSING"),
        (replace(PRODUCTION, config=ConfigObservation("c", True, problems=(NOBODY,))), "DOCTOR-CONFIG-FAULTS"),
        (replace(PRODUCTION, state_folder_problem=find_problem(Path("/proc/state"))), "STATE-FOLDER-UNUSABLE"),
    ],
)
def test_each_obstacle(seen: Observations, code: str) -> None:
    """Each thing that is missing or wrong is reported once, as a problem with a next step, and nothing else is."""
    assert codes(seen) == {code}


def test_slips_are_recognised() -> None:
    """A misspelled name is reported with the nearest right one."""
    profile = said(replace(PRODUCTION, environ={"AWS_PROFILE": "opps"}, profiles=frozenset({"ops"})), "AWS credentials").problem
    assert profile
    assert "AWS_PROFILE=ops" in profile.do[0]
    override = said(replace(PRODUCTION, environ={"SRE_AGENT__AWS__REGOIN": "x"}), "SRE_AGENT__AWS__REGOIN").problem
    assert override
    assert "SRE_AGENT__AWS__REGION" in override.do[0]


def test_an_aws_that_was_not_asked() -> None:
    """Where AWS did not answer, that is said: neither good nor bad."""
    finding = said(replace(PRODUCTION, identity=Identity(), environ={"AWS_PROFILE": "ops"}, profiles=frozenset({"ops"})), "AWS credentials")
    assert finding.status == "note"
    assert "not known" in finding.found


def test_local_mode_needs_no_account() -> None:
    """No credentials are asked for, and AWS variables are named as put aside, without their values."""
    seen = replace(LOCAL, environ={"AWS_SECRET_ACCESS_KEY": "very-secret"})
    assert not codes(seen)
    assert said(seen, "AWS_SECRET_ACCESS_KEY").status == "note"
    assert "very-secret" not in str([finding.to_json() for finding in examine(seen)])


def test_variables_that_the_configuration_names() -> None:
    """A default makes a variable optional; a secret's value is never shown; an override of a setting is named."""
    references = (Reference("A", "name", has_default=True), Reference("B", "credentials.client_secret", is_secret=True))
    seen = replace(
        PRODUCTION, environ={"B": "hush", "SRE_AGENT__TAGS__team": "x"}, config=ConfigObservation("c", True, references=references)
    )
    assert (said(seen, "A").status, said(seen, "B").found, said(seen, "SRE_AGENT__TAGS__team").status) == ("unset", "set", "ok")
    missing = said(replace(seen, environ={}), "B").problem
    assert missing
    assert any("read -rs B" in step for step in missing.do)


def test_the_first_version_of_the_aws_cli() -> None:
    """It works, but can't sign in to single sign-on: that is a note, not a fault."""
    seen = replace(PRODUCTION, programs={"aws": "/usr/bin/aws"}, aws_cli="aws-cli/1.44.5 Python/3.12")
    assert said(seen, "aws").status == "note"
    assert said(replace(seen, aws_cli="aws-cli/2.31.0 Python/3.13"), "aws").status == "ok"


# systemd sets it for a service; a command has none.
OF_SERVICES = {"NOTIFY_SOCKET"}
READ = re.compile(r"environ(?:ment)?(?:\.get\(|\[)\"([A-Za-z_]+)\"")


def test_no_variable_is_read_in_secret() -> None:
    """Every variable that the deployer reads by name is one that the doctor speaks of; machines and the sample's scripts have their own."""
    sources = [
        path
        for package in ("sre_agent_deploy", "sre_core")
        for path in (ROOT / package).rglob("*.py")
        if not {"instance", "sample"} & {*path.parts}
    ]
    read = {name for path in sources for name in READ.findall(path.read_text(encoding="utf-8"))}
    assert read
    assert read <= {variable.name for variable in VARIABLES} | CREDENTIAL_VARIABLES | OF_SERVICES
