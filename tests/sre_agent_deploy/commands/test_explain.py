"""`explain` shows the page of a code, and helps where the code is misspelled."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from sre_agent_deploy.cli.render import show_problems
from sre_agent_deploy.cli.root import root
from sre_agent_deploy.commands.explain import Page, find_page, list_codes
from sre_core.problem import Problem, Refused


@pytest.mark.parametrize("spelled", ["S3-NAME-TAKEN", "s3-name-taken", " S3-NAME-TAKEN: "])
def test_a_code_in_any_spelling(spelled: str) -> None:
    """A code is found as it was copied."""
    found = find_page(spelled)
    assert isinstance(found, Page)
    assert found.text.startswith("# S3-NAME-TAKEN\n")


def test_a_misspelled_code() -> None:
    """The nearest code is named, with the command that explains it."""
    found = find_page("S3-NAME-TAKN")
    assert isinstance(found, Problem)
    assert "`sre-agent-deploy explain S3-NAME-TAKEN`" in found.do[0]


@pytest.mark.parametrize("spelled", ["../README", "/etc/passwd", ""])
def test_a_code_is_no_path(spelled: str) -> None:
    """Only pages can be read."""
    assert isinstance(find_page(spelled), Problem)


def test_every_page_says_what_its_code_means() -> None:
    """The list has a sentence for each code."""
    pages = [found for code in list_codes() if isinstance(found := find_page(code), Page)]
    assert len(pages) == len(list_codes()) > 150
    assert all(found.summary.endswith((".", ":")) for found in pages)


def test_the_command_shows_a_page_and_the_list() -> None:
    """One code, or all of them; as text and as JSON."""
    shown = CliRunner().invoke(root, ["explain", "TLS-EXPIRED"])
    assert shown.exit_code == 0
    assert "certbot renew" in shown.output
    listed = json.loads(CliRunner().invoke(root, ["explain", "--list", "--json"]).output)
    assert tuple(listed) == list_codes()


def test_the_command_refuses_what_it_does_not_know() -> None:
    """An unknown code is a Problem, and no code at all a question of usage."""
    assert isinstance(CliRunner().invoke(root, ["explain", "NO-SUCH-CODE"]).exception, Refused)
    assert CliRunner().invoke(root, ["explain"]).exit_code == 2


def test_problems_end_with_where_more_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    """People see the command that explains the code; programs get the problem alone."""
    problem = Problem(code="S3-QUOTA", what="It was not made.", why="There are too many.", do=("Delete one.",))
    show_problems((problem, problem))
    assert capsys.readouterr().err.rstrip().splitlines()[-1] == "  more: sre-agent-deploy explain S3-QUOTA"
    show_problems((problem,), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"problem": problem.to_json()}
