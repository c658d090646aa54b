"""The questions, their proposals, and the settings that answers become."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from sre_agent_deploy.config.document import Mapping, Plain, parse, to_plain
from sre_agent_deploy.config.models import Config, ServicesConfig
from sre_agent_deploy.config.section import item_model
from sre_agent_deploy.config.template import render_template
from sre_agent_deploy.interactive.answers import (
    FIRST,
    MORE,
    ONLY_AFTER,
    OWN,
    PLACES,
    Question,
    fill_template,
    find_unwritable,
    judge_answers,
    list_questions,
    parse_answer,
    select_questions,
    select_settings,
)
from sre_agent_deploy.interactive.proposals import (
    NOTHING,
    AccountContents,
    Choice,
    Subnet,
    Vpc,
    Workspace,
    Zone,
    list_choices,
    propose,
)

BY_KEY = {question.key: question for question in list_questions()}


def keys(answers: dict[str, str]) -> list[str]:
    return [question.key for question in select_questions(answers, {})]


def test_every_setting_can_be_asked_for() -> None:
    """With every door open and every condition met, only what has no choice is never asked."""
    doors = {f"optional {name}": "yes" for name in Config.model_fields} | {MORE: "yes", OWN: "yes"}
    answers = doors | {
        "tls.source": "files",
        "aws.vpc_id": "vpc-0a1b2c3d",
        "credentials.user_pool_id": "us-east-1_a",
        "credentials.client_id": "a",
    }
    asked = {*keys(answers), *keys({**answers, "tls.source": "letsencrypt"})}
    assert {key for key, question in BY_KEY.items() if key not in asked} == {
        key for key, question in BY_KEY.items() if len(question.choices) == 1
    }


def test_names_in_tables_are_settings() -> None:
    """The order of first questions and their conditions name settings that exist."""
    named = {*FIRST["production"], *FIRST["local"], *ONLY_AFTER, *(other for other, _ in ONLY_AFTER.values())}
    assert named <= BY_KEY.keys()


def test_a_question_without_meaning_is_left_out() -> None:
    """A subnet is asked for with a VPC of one's own only, and its answer is forgotten with it."""
    answers = {"aws.vpc_id": "vpc-0a1b2c3d", "aws.subnet_id": "subnet-0a1b2c3d"}
    assert "aws.subnet_id" in keys(answers)
    without = {**answers, "aws.vpc_id": ""}
    assert "aws.subnet_id" not in {question.key for question in select_settings(select_questions(without, {}), without)}


def test_what_the_rules_demand_is_asked() -> None:
    """A setting that other answers make invalid is asked for, even in a group that the user has skipped."""
    demanding = {"aws.region": "us-east-1", "optional credentials": "no"}
    assert "gateway.provider_arn" not in keys(demanding)
    opened = {MORE: "yes", "optional credentials": "yes", "credentials.user_pool_id": "us-east-1_a", "credentials.client_id": "abc"}
    assert "credentials.client_secret" in keys(opened)


ACCOUNT = AccountContents(
    account_id="123456789012",
    vpcs=(Vpc("vpc-1", "10.0.0.0/16", is_default=False),),
    subnets=(
        Subnet("subnet-1", "vpc-1", "a", is_public=False),
        Subnet("subnet-2", "vpc-1", "b", is_public=True),
        Subnet("subnet-3", "vpc-2", "c", is_public=True),
    ),
    zones=(Zone("Z1", "example.org"), Zone("Z2", "eu.example.org")),
    key_pairs=("ops",),
    clusters=("prod",),
    log_groups=("/aws/lambda/checkout",),
    workspaces=(Workspace("https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1", "shop"),),
)


@pytest.mark.parametrize(
    ("key", "answers", "expected"),
    [
        ("aws.account_id", {}, "123456789012"),
        ("aws.account_id", {"aws.account_id": "210987654321"}, "210987654321"),
        ("aws.vpc_id", {}, "vpc-1"),
        ("aws.subnet_id", {"aws.vpc_id": "vpc-1"}, "subnet-2"),
        ("deployment.domain_name", {}, "sre.example.org"),
        ("deployment.hosted_zone_id", {"deployment.domain_name": "sre.eu.example.org"}, "Z2"),
        ("deployment.hosted_zone_id", {"deployment.domain_name": "sre.example.com"}, ""),
        ("deployment.hosted_zone_id", {"deployment.domain_name": "notexample.org"}, ""),
        ("tls.source", {}, "files"),
        ("deployment.instance_type", {}, "t3.xlarge"),
        ("name", {"mode": "local"}, "demo"),
    ],
)
def test_proposals(key: str, answers: dict[str, str], expected: str) -> None:
    """An earlier answer, then the account, then the template: the first that has something is what Enter gives."""
    assert propose(BY_KEY[key], answers, ACCOUNT, {}) == expected


def test_the_environment_proposes() -> None:
    """A variable that the template refers to is proposed; an example is never proposed."""
    domain = BY_KEY["deployment.domain_name"]
    assert propose(domain, {}, NOTHING, {}) == ""
    assert propose(domain, {}, ACCOUNT, {"SRE_DOMAIN_NAME": "sre.example.net"}) == "sre.example.net"


def test_choices() -> None:
    """Lists come from the setting itself or from the account; a subnet without public addresses is none."""
    assert list_choices(BY_KEY["tls.source"], {}, NOTHING)[0] == Choice("local_ca")
    assert [choice.value for choice in list_choices(BY_KEY["aws.subnet_id"], {"aws.vpc_id": "vpc-1"}, ACCOUNT)] == ["subnet-2"]
    assert list_choices(BY_KEY["deployment.key_name"], {}, ACCOUNT) == (Choice("ops"),)
    assert not list_choices(BY_KEY["name"], {}, ACCOUNT)
    for key in ("kubernetes", "logs", "metrics", "runbooks"):
        assert not list_choices(BY_KEY[f"services.{key}"], {}, NOTHING)
    assert [
        choice.value for key in ("kubernetes", "logs", "metrics") for choice in list_choices(BY_KEY[f"services.{key}"], {}, ACCOUNT)
    ] == [
        "eks:prod",
        "eks:prod",
        "cloudwatch:/aws/lambda/checkout",
        "amp:https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-1",
        "cloudwatch",
    ]


def put(question: Question, answer: str) -> tuple[str, Plain | None]:
    text = fill_template(render_template("production"), {question.path: parse_answer(question, answer)})
    tree = parse(text)
    assert isinstance(tree, Mapping)
    value: Plain | None = to_plain(tree)
    for step in question.path:
        value = value.get(str(step)) if isinstance(value, dict) else None
    return text, value


@given(st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1))
def test_any_answer_is_written_as_it_was_typed(answer: str) -> None:
    """The file has exactly any text that a person types, and every comment stays."""
    text, value = put(BY_KEY["gateway.description"], answer)
    assert value == answer
    assert text.count("\n") == render_template("production").count("\n")


@pytest.mark.parametrize(
    ("key", "answer", "expected"),
    [
        ("tags", "team=platform, stage = prod:eu", {"team": "platform", "stage": "prod:eu"}),
        ("tags", '{team: platform, "cost center": "47"}', {"team": "platform", "cost center": "47"}),
        ("tags", "", {}),
        ("deployment.ssh_cidrs", "203.0.113.0/24, 2001:db8::/48", ["203.0.113.0/24", "2001:db8::/48"]),
        ("deployment.ssh_cidrs", '["203.0.113.0/24"]', ["203.0.113.0/24"]),
        ("aws.account_id", "012345678901", "012345678901"),
        ("services.kubernetes", "eks:prod, kubeconfig", [{"source": "eks", "cluster": "prod"}, {"source": "kubeconfig"}]),
        ("services.kubernetes", "kubeconfig:~/.kube/c", [{"source": "kubeconfig", "kubeconfig": "file:~/.kube/c"}]),
        ("services.kubernetes", "kubeconfig:env:KUBE", [{"source": "kubeconfig", "kubeconfig": "env:KUBE"}]),
        (
            "services.logs",
            "cloudwatch:/a/b, loki:https://loki.example.com:3100, cloudwatch:/c",
            [{"source": "cloudwatch", "log_groups": ["/a/b", "/c"]}, {"source": "loki", "url": "https://loki.example.com:3100"}],
        ),
        ("services.metrics", "cloudwatch", [{"source": "cloudwatch"}]),
        ("services.runbooks", "git:git@git.example.com:team/r.git", [{"source": "git", "url": "git@git.example.com:team/r.git"}]),
        ("services.logs", "", []),
    ],
)
def test_lists_and_pairs(key: str, answer: str, expected: Plain) -> None:
    """Lists and tags can be typed bare, or as in the file."""
    assert put(BY_KEY[key], answer)[1] == expected


@pytest.mark.parametrize(
    ("key", "answer", "code"),
    [
        ("services.kubernetes", "cluster:prod", "CONFIG-CHOICE"),
        ("services.kubernetes", "eks", "CONFIG-REQUIRED"),
        ("services.logs", "loki:loki.example.com", "CONFIG-SOURCE-URL"),
        ("services.metrics", "amp:ws-1", "CONFIG-AMP-WORKSPACE"),
    ],
)
def test_a_source_that_is_none(key: str, answer: str, code: str) -> None:
    """The rules of the configuration apply to each source of the line."""
    assert {fault.code for fault in judge_answers("production", {BY_KEY[key]: answer}, {}).at(BY_KEY[key])} == {code}


@pytest.mark.parametrize("example", ["kubernetes", "logs", "metrics", "runbooks"])
def test_the_example_of_a_source(example: str) -> None:
    """Each example can be typed; each kind of source of a service has a place in the line."""
    question = BY_KEY[f"services.{example}"]
    typed = question.example.replace("ws-…", "ws-12345678-1234-1234-1234-123456789012")
    assert judge_answers("production", {question: typed}, {}).at(question) == ()
    kinds = get_args(item_model(ServicesConfig.model_fields[example].annotation).model_fields["source"].annotation)
    assert set(kinds) <= set(PLACES)


@pytest.mark.parametrize("key", [key for key, question in BY_KEY.items() if question.choices])
def test_an_answer_that_is_no_choice(key: str) -> None:
    """Where a setting has fixed choices, the mode included, anything else is refused."""
    question = BY_KEY[key]
    for answer in ("abc", "-1", "local production"):
        assert [fault.code for fault in judge_answers("production", {question: answer}, {}).at(question)] in (
            ["CONFIG-CHOICE"],
            ["CONFIG-TYPE"],
        )


@profile(max_examples=60)
@given(st.sampled_from(list_questions()), st.text(max_size=40))
def test_no_answer_damages_the_file(question: Question, answer: str) -> None:
    """Every answer that is not refused gives a valid file, and only that setting is changed."""
    if find_unwritable(question, answer):
        return
    judgement = judge_answers("production", {question: answer}, {})
    before, after = render_template("production").split("\n"), judgement.text.split("\n")
    assert sum(old != new for old, new in zip(before, after, strict=True)) <= 1


@pytest.mark.parametrize(
    ("key", "answer", "code"),
    [("name", "a\x1b[A", "INTERACTIVE-ANSWER"), ("name", "a\udcff", "INTERACTIVE-ANSWER"), ("tags", "team", "INTERACTIVE-ANSWER")],
)
def test_answers_that_can_not_be_written(key: str, answer: str, code: str) -> None:
    """Keys that type no character, and tags without a value, are reported at once."""
    refused = find_unwritable(BY_KEY[key], answer)
    assert refused
    assert refused.code == code
