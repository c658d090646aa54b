"""Whether each environment variable is right: the known ones, those that the configuration names, and overrides (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent_deploy.config.environment import PREFIX, Reference
from sre_agent_deploy.config.fault import Fault
from sre_agent_deploy.config.nearest import nearest
from sre_agent_deploy.doctor.credentials import CREDENTIAL_VARIABLES
from sre_agent_deploy.doctor.model import Finding, Seen, Status
from sre_agent_deploy.doctor.variables import VARIABLES, Variable
from sre_agent_deploy.interactive.question import questions
from sre_core.problem import Problem
from sre_core.redaction import is_secret_name, redact_line


def of_variables(seen: Seen) -> Iterator[Finding]:
    """The variables of this mode, those that the configuration names, and overrides of single settings."""
    named = {reference.name for reference in seen.config.references}
    for variable in VARIABLES:
        if seen.mode in variable.modes and variable.name not in named:
            yield _variable(variable, seen)
    for reference in seen.config.references:
        yield _reference(reference, seen)
    for name in sorted(seen.environ):
        if name.startswith(PREFIX):
            yield _override(name, seen)
    yield from _elsewhere(seen)


def _variable(variable: Variable, seen: Seen) -> Finding:
    name, value = variable.name, _value(variable.name, seen)
    if not value:
        how = f"export {name}={variable.example}"
        return Finding(kind="variable", name=name, purpose=variable.purpose, status="unset", how=how)
    problem = _wrong(variable, value, seen)
    status: Status = "wrong" if problem else "note" if name == "AWS_ENDPOINT_URL" else "ok"
    found = _shown(name, value, seen)
    return Finding(kind="variable", name=name, purpose=variable.purpose, status=status, found=found, problem=problem)


def _value(name: str, seen: Seen) -> str:
    # Of proxies the lower-case spelling is the older one; it is read as well, and first.
    return (name.endswith("_PROXY") and seen.environ.get(name.lower(), "")) or seen.environ.get(name, "")


def _wrong(variable: Variable, value: str, seen: Seen) -> Problem | None:
    if variable.names_file and (why := seen.unreadable.get(value)):
        return Problem(
            code="DOCTOR-VARIABLE-FILE",
            what=f"{variable.name} names a file that can't be used.",
            why=why,
            do=(f"Correct the path: export {variable.name}={variable.example}", f"Or do without: unset {variable.name}"),
        )
    fault = next((fault for fault in variable.rule(value) if not fault.warning), None) if variable.rule else None
    return _invalid(variable.name, fault) if fault else None


def _invalid(name: str, fault: Fault) -> Problem:
    return Problem(
        code="DOCTOR-VARIABLE-INVALID",
        what=f"{name} is set to something that can't be used.",
        why=fault.why,
        do=(*fault.do, f"Or do without: unset {name}"),
        aws_docs=fault.aws_docs,
    )


def _shown(name: str, value: str, seen: Seen) -> str:
    """What may be said of a value: of a secret only that it is there."""
    source = " (from .env)" if name in seen.from_dotenv else ""
    return f"set{source}" if is_secret_name(name) or name in CREDENTIAL_VARIABLES else f"{redact_line(value)}{source}"


def _reference(reference: Reference, seen: Seen) -> Finding:
    name, value = reference.name, seen.environ.get(reference.name, "")
    known = next((variable for variable in VARIABLES if variable.name == name), None)
    purpose = f"{reference.where} in {seen.config.path}"
    if value:
        problem = _wrong(known, value, seen) if known else None
        # What a variable of the user's own holds is the user's own affair.
        found = _shown(name, value, seen) if known and not reference.is_secret else "set"
        return Finding(kind="variable", name=name, purpose=purpose, status="wrong" if problem else "ok", found=found, problem=problem)
    if reference.has_default:
        return Finding(kind="variable", name=name, purpose=purpose, status="unset", how=f"export {name}=... (there is a default)")
    return Finding(kind="variable", name=name, purpose=purpose, status="missing", problem=_not_set(reference, seen))


def _not_set(reference: Reference, seen: Seen) -> Problem:
    alike = nearest(reference.name, seen.environ)
    return Problem(
        code="DOCTOR-VARIABLE-MISSING",
        what=f"The environment variable {reference.name} is not set.",
        why=f"{reference.where} in {seen.config.path} takes its value from there, and there is no default.",
        do=(
            *((f"A variable {alike} is set: did you mean that one?",) if alike else ()),
            f"Set it: {f'read -rs {reference.name} && export {reference.name}' if reference.is_secret else f'export {reference.name}=...'}",
            "Or write it into the .env file beside the configuration.",
        ),
    )


def _override(name: str, seen: Seen) -> Finding:
    """`SRE_AGENT__SECTION__FIELD`: a name that is no setting would make the configuration invalid."""
    key = name.removeprefix(PREFIX).lower().replace("__", ".")
    keys = {"version", *(question.key for question in questions())}
    if key in keys or key.startswith("tags."):
        return Finding(kind="variable", name=name, purpose=f"overrides {key}", status="ok", found="set")
    meant = nearest(key, keys)
    spelled = f"{PREFIX}{meant.upper().replace('.', '__')}" if meant else ""
    problem = Problem(
        code="DOCTOR-OVERRIDE-UNKNOWN",
        what=f"{name} overrides no setting.",
        why=f"There is no setting {key}, and a configuration with an unknown one is refused.",
        do=(*((f"Did you mean {spelled}?",) if spelled else ()), f"Remove it: unset {name}"),
    )
    return Finding(kind="variable", name=name, purpose="overrides a setting", status="wrong", found="set", problem=problem)


def _elsewhere(seen: Seen) -> Iterator[Finding]:
    """Variables that lead AWS calls elsewhere, or that local mode puts aside."""
    if seen.mode == "local":
        ignored = sorted(name for name in seen.environ if name.startswith("AWS_") and name not in seen.from_dotenv)
        for name in ignored:
            yield Finding(kind="variable", name=name, purpose="none: local mode puts it aside", status="note", found="set")
        return
    for name in sorted(seen.environ):
        if name.startswith("AWS_ENDPOINT_URL_") or name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS":
            purpose = "leads calls of one service elsewhere than AWS_ENDPOINT_URL does"
            yield Finding(kind="variable", name=name, purpose=purpose, status="note", found="set", how=f"unset {name}")
