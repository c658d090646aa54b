"""Select the questions and their order for the answers given so far (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sre_agent_deploy.config.fault import Mode
from sre_agent_deploy.interactive.judge import judge_answers
from sre_agent_deploy.interactive.question import Answers, Question, build_gate, list_questions

# Settings that every user has to decide; the others have defaults and are asked on demand.
FIRST: Mapping[Mode, tuple[str, ...]] = {
    "production": (
        "mode", "name", "aws.region", "aws.account_id", "aws.vpc_id", "aws.subnet_id", "deployment.domain_name",
        "deployment.hosted_zone_id", "tls.source", "tls.challenge", "deployment.ssl_cert_path", "deployment.ssl_key_path",
        "deployment.ssl_ca_path",
    ),
    "local": ("mode", "name", "services.recording"),
}  # fmt: skip
# Questions that apply only after this answer to another one; "" means any answer that is not empty.
ONLY_AFTER = {
    "aws.subnet_id": ("aws.vpc_id", ""),
    "credentials.client_id": ("credentials.user_pool_id", ""),
    "credentials.client_secret": ("credentials.client_id", ""),
    "deployment.ssl_cert_path": ("tls.source", "files"),
    "deployment.ssl_key_path": ("tls.source", "files"),
    "deployment.ssl_ca_path": ("tls.source", "files"),
    **{f"tls.{field}": ("tls.source", "letsencrypt") for field in ("challenge", "email", "staging", "directory_url", "directory_ca_path")},
}
MORE = "optional settings"
OWN = "systems of your own"


def find_mode(answers: Answers) -> Mode:
    """Return the chosen mode; production before the choice."""
    return "local" if answers.get("mode") == "local" else "production"


def select_questions(answers: Answers, environ: Mapping[str, str]) -> tuple[Question, ...]:
    """Select the questions for these answers. An answer changes only the questions after it."""
    asked = tuple(question for question in _plan_questions(answers) if _applies(question, answers))
    while demanded := tuple(_find_demanded(asked, answers, environ)):
        asked += demanded
    return asked


def select_settings(asked: tuple[Question, ...], answers: Answers) -> dict[Question, str]:
    """Select the answers that go into the file: not those of gates, nor of questions that no longer apply."""
    return {question: answers[question.key] for question in asked if question.kind != "gate" and question.key in answers}


def _plan_questions(answers: Answers) -> Iterator[Question]:
    by_key = {question.key: question for question in list_questions()}
    first = [by_key[key] for key in FIRST[find_mode(answers)]]
    sources = [question for question in list_questions() if question.kind == "sources"]
    yield from first
    yield build_gate(
        OWN, "Answer about clusters, logs and metrics of your own? They are only read. no: about an incident that was recorded."
    )
    if answers.get(OWN) == "yes":
        yield from sources
    if find_mode(answers) == "local":
        return
    yield build_gate(MORE, "Everything else has a default. Look at the optional settings as well?")
    if answers.get(MORE) == "yes":
        yield from _plan_optional([question for question in list_questions() if question not in (*first, *sources)], answers)


def _plan_optional(rest: list[Question], answers: Answers) -> Iterator[Question]:
    """Plan the optional settings, section by section. A setting with only one choice is no question."""
    open_ones = [question for question in rest if len(question.choices) != 1]
    for section in dict.fromkeys(question.section for question in open_ones):
        inside = [question for question in open_ones if question.section == section]
        if not any(_applies(question, answers) for question in inside):
            continue
        if section:
            door = build_gate(f"optional {section}", f"Set any of {', '.join(str(question.path[-1]) for question in inside)}?")
            yield door
            if answers.get(door.key) != "yes":
                continue
        yield from inside


def _applies(question: Question, answers: Answers) -> bool:
    if question.key not in ONLY_AFTER:
        return True
    other, wanted = ONLY_AFTER[question.key]
    return answers.get(other) == wanted if wanted else bool(answers.get(other))


def _find_demanded(asked: tuple[Question, ...], answers: Answers, environ: Mapping[str, str]) -> Iterator[Question]:
    """Find settings that the rules call missing or wrong and that were not asked for."""
    faults = judge_answers(find_mode(answers), select_settings(asked, answers), environ).faults
    for question in list_questions():
        if question not in asked and any(question.covers(fault.path) for fault in faults):
            yield question
