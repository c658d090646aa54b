"""Preflight asks the language models of a deployment: over HTTP, against models that answer by a script."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from fixtures.embedded import EmbeddedAws, served
from sre_agent_deploy.aws import Aws, Endpoint
from sre_agent_deploy.checks import Finding
from sre_agent_deploy.checks.suite import stops_deployment
from sre_core.bedrock import FALLBACK, MODEL
from sre_core.secret import Secret

from .conftest import Preflight

ANSWERS = [{"model": "*", "text": "o"}]


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedAws]:
    folder = tmp_path_factory.mktemp("models")
    with served(folder, "--no-boot", "--bedrock-script", str(folder / "script.json")) as running:
        yield running


def look(check: Preflight, scripted: EmbeddedAws, **script: Any) -> dict[str, Finding]:
    """Run preflight against models with this script."""
    (scripted.state_dir / "script.json").write_text(json.dumps({"answers": ANSWERS, **script}))
    secret = Secret(scripted.registry["secret_access_key"])
    endpoint = Endpoint(scripted.endpoint, scripted.ca_file, scripted.registry["access_key_id"], secret)
    return check(Aws(region=scripted.region, endpoint=endpoint), assistant={"reasoner": "bedrock"})


def test_models_that_answer(check: Preflight, scripted: EmbeddedAws) -> None:
    """Both models of a deployment give a token, by the profile that fits the region."""
    found = look(check, scripted)
    assert {found[f"model.{name}"].status for name in (MODEL, FALLBACK)} == {"passed"}


@pytest.mark.parametrize(
    ("script", "code", "says"),
    [
        ({"availability": {MODEL: {"agreement": "NOT_AVAILABLE"}}}, "MODEL-NO-ACCESS", "create-foundation-model-agreement"),
        ({"availability": {MODEL: {"authorization": "NOT_AUTHORIZED"}}}, "MODEL-NO-ACCESS", "NOT_AUTHORIZED"),
        ({"availability": {MODEL: {"region": "NOT_AVAILABLE"}}}, "MODEL-NOT-IN-REGION", "list-foundation-models"),
        ({"availability": {MODEL: {"error": "ValidationException"}}}, "MODEL-NOT-IN-REGION", "list-foundation-models"),
        (
            {"use_case": False, "answers": [{"model": "*anthropic*", "error": "ResourceNotFoundException", "status": 404}, *ANSWERS]},
            "MODEL-USE-CASE-MISSING",
            "put-use-case-for-model-access",
        ),
        (
            {"answers": [{"model": "*anthropic*", "error": "ValidationException", "message": "The model is legacy."}, *ANSWERS]},
            "MODEL-NO-TOKEN",
            "Service Quotas",
        ),
    ],
)
def test_a_model_that_can_not_be_used(check: Preflight, scripted: EmbeddedAws, script: Any, code: str, says: str) -> None:
    """The problem names what the account lacks, with what to do; the other model passes, and the deployment continues with the rules."""
    found = look(check, scripted, **script)
    finding = found[f"model.{MODEL}"]
    assert finding.problem
    assert (finding.status, finding.problem.code) == ("failed", code)
    assert says in " ".join(finding.problem.do)
    assert found[f"model.{FALLBACK}"].status == "passed"
    assert not stops_deployment(tuple(found.values()))


def test_terms_are_never_accepted_by_looking(check: Preflight, scripted: EmbeddedAws) -> None:
    """Without an agreement no token is requested: the first request would accept the terms. A check that may not look is unknown."""
    asked = {"answers": [{"model": "*", "error": "InternalServerException", "status": 500, "message": "was asked"}]}
    missing = {"agreement": "NOT_AVAILABLE"}
    found = look(check, scripted, availability={"*": missing}, **asked)
    assert "was asked" not in str(found[f"model.{MODEL}"].problem)
    denied = look(check, scripted, availability={"*": {"error": "AccessDeniedException"}})[f"model.{MODEL}"]
    assert denied.problem
    assert (denied.status, denied.problem.code) == ("unknown", "AWS-PERMISSION-MISSING")
