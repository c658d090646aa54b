"""A deployment that another state file describes is not taken over without a question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from fixtures.cut import refused
from fixtures.engine import Engine
from sre_agent_deploy.commands.claims import record_claim
from sre_agent_deploy.commands.user import Question, User
from sre_agent_deploy.commands.workspace import confirm_takeover
from sre_agent_deploy.plan import Action
from sre_core.problem import Refused


class Asked(User):
    """Remembers the question and agrees."""

    question: Question | None = None

    def confirm(self, question: Question) -> None:
        self.question = question


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path / "state-folder"))


def test_a_deployment_of_another_folder(engine: Engine) -> None:
    """The question says how much exists, since when, and who deployed it from where; without a terminal only --yes is an answer."""
    engine.parts = ("backend_key", "address")
    confirm_takeover(engine.plan(), None, "/mine", User())
    engine.deploy()
    record_claim(engine.id, "/theirs/.deployment_state")
    plan, asked = engine.plan(), Asked()
    confirm_takeover(plan, engine.state, "/theirs/.deployment_state", User())
    confirm_takeover(plan, None, "/mine", User(yes=True))
    confirm_takeover(plan, None, "/mine", asked)
    assert asked.question
    shown = " ".join(asked.question.lines)
    assert f"Deployment {engine.id} exists already: 2 resources of it exist, since 20" in shown
    assert "with the state file /theirs/.deployment_state" in shown
    with pytest.raises(Refused, match="DEPLOYMENT-EXISTS"):
        confirm_takeover(plan, None, "/mine", User())


def test_an_instance_that_another_folder_added(engine: Engine, tmp_path: Path) -> None:
    """`plan` in the first folder lists it: it costs money, and the first state file does not contain it."""
    engine.deploy()
    other = replace(engine, folder=tmp_path / "other", sections={"deployment": {"instance_type": "t3.2xlarge"}}, observed=[], drawn=None)
    other.folder.mkdir()
    with refused(other.aws, "ec2", "AssociateAddress"):
        assert other.apply().problems
    extra = other.id_of("instance")
    assert extra != engine.id_of("instance")
    listed = [change for change in engine.plan().changes if change.id == extra]
    assert [change.action for change in listed] == [Action.DELETE]
