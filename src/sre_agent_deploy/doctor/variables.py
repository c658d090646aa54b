"""Environment variables: those that are read, the rules for their values, and a finding for each, with AWS credentials (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from sre_agent_deploy.account import other_account
from sre_agent_deploy.config import Fault, Mode
from sre_agent_deploy.config.aws import endpoint_faults, region_faults
from sre_agent_deploy.config.environment import PREFIX, Reference
from sre_agent_deploy.config.field_syntax import ACCOUNT_ID, DOMAIN_NAME
from sre_agent_deploy.doctor import Finding, Observations, Status
from sre_agent_deploy.interactive.answers import list_questions
from sre_core.nearest import find_nearest
from sre_core.problem import Problem
from sre_core.redaction import is_secret_name, redact_line

type Rule = Callable[[str], Iterator[Fault]]
LOG_LEVELS = ("debug", "info", "warning", "error")
BOTH: frozenset[Mode] = frozenset({"production", "local"})
PRODUCTION: frozenset[Mode] = frozenset({"production"})


def _check_log_level(value: str) -> Iterator[Fault]:
    if value.lower() not in LOG_LEVELS:
        nearest = find_nearest(value.lower(), LOG_LEVELS) or "info"
        yield Fault(code="", path=(), what="", why=f"It must be one of {', '.join(LOG_LEVELS)}.", do=(f"Set it: export SRE_LOG={nearest}",))


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One variable; `names_file` says that its value is a path, `rule` what else its value must be."""

    name: str
    purpose: str
    example: str
    modes: frozenset[Mode] = PRODUCTION
    names_file: bool = False
    rule: Rule | None = None


VARIABLES = (
    Variable(name="AWS_REGION", purpose="aws.region, where the configuration says ${AWS_REGION}", example="us-east-1", rule=region_faults),
    Variable(
        name="AWS_DEFAULT_REGION", purpose="the region of interactive questions, after AWS_REGION", example="us-east-1", rule=region_faults
    ),
    Variable(
        name="AWS_ACCOUNT_ID",
        purpose="aws.account_id, where the configuration says ${AWS_ACCOUNT_ID}",
        example="123456789012",
        rule=lambda value: ACCOUNT_ID.faults("account_id", value),
    ),
    Variable(name="AWS_ENDPOINT_URL", purpose="an AWS other than Amazon's", example="https://127.0.0.1:4566", rule=endpoint_faults),
    Variable(
        name="AWS_CA_BUNDLE", purpose="certificate authorities that AWS's endpoints may show", example="/etc/ssl/ca.pem", names_file=True
    ),
    Variable(name="SSL_CERT_FILE", purpose="certificate authorities of everything else", example="/etc/ssl/ca.pem", names_file=True),
    Variable(name="AWS_CONFIG_FILE", purpose="where profiles are described", example="~/.aws/config"),
    Variable(name="AWS_SHARED_CREDENTIALS_FILE", purpose="where keys of profiles are kept", example="~/.aws/credentials"),
    Variable(name="HTTPS_PROXY", purpose="the proxy on the way to AWS", example="http://proxy.example.com:3128"),
    Variable(name="NO_PROXY", purpose="hosts that are reached without the proxy", example="169.254.169.254,.example.com"),
    Variable(
        name="SRE_DOMAIN_NAME",
        purpose="deployment.domain_name, where the configuration says ${SRE_DOMAIN_NAME}",
        example="sre.example.com",
        rule=lambda value: DOMAIN_NAME.faults("domain_name", value),
    ),
    Variable(
        name="SRE_SSL_CERT_PATH", purpose="the certificate chain, as the template has it", example="/opt/ssl/chain.pem", names_file=True
    ),
    Variable(name="SRE_SSL_KEY_PATH", purpose="the private key, as the template has it", example="/opt/ssl/key.pem", names_file=True),
    Variable(name="SRE_SSL_CA_PATH", purpose="a private certificate authority", example="/opt/ssl/ca.pem", names_file=True),
    Variable(name="SRE_AGENT_STATE_DIR", purpose="the folder for what outlives a command", example="~/.local/state/sre-agent", modes=BOTH),
    Variable(
        name="XDG_STATE_HOME", purpose="the folder above it, where SRE_AGENT_STATE_DIR is not set", example="~/.local/state", modes=BOTH
    ),
    Variable(
        name="SRE_AGENT_BACKUP_PASSPHRASE", purpose="encrypts and opens the secrets of a data backup", example="of openssl rand", modes=BOTH
    ),
    Variable(name="TERM", purpose="kind of terminal; dumb shows plain lines of progress", example="xterm-256color", modes=BOTH),
    Variable(name="NO_COLOR", purpose="no colours where it is set", example="1", modes=BOTH),
    Variable(name="SRE_LOG", purpose="how much is logged to stderr", example="info", modes=BOTH, rule=_check_log_level),
)


def examine_variables(seen: Observations) -> Iterator[Finding]:
    """Examine the variables of this mode, those that the configuration names, and overrides of single settings."""
    named = {reference.name for reference in seen.config.references}
    for variable in VARIABLES:
        if seen.mode in variable.modes and variable.name not in named:
            yield _examine_variable(variable, seen)
    for reference in seen.config.references:
        yield _examine_reference(reference, seen)
    for name in sorted(seen.environ):
        if name.startswith(PREFIX):
            yield _examine_override(name, seen)
    yield from _list_redirections(seen)


def _examine_variable(variable: Variable, seen: Observations) -> Finding:
    name, value = variable.name, _find_value(variable.name, seen)
    if not value:
        how = f"export {name}={variable.example}"
        return Finding(kind="variable", name=name, purpose=variable.purpose, status="unset", how=how)
    problem = _find_problem(variable, value, seen)
    status: Status = "wrong" if problem else "note" if name == "AWS_ENDPOINT_URL" else "ok"
    found = _show_value(name, value, seen)
    return Finding(kind="variable", name=name, purpose=variable.purpose, status=status, found=found, problem=problem)


def _find_value(name: str, seen: Observations) -> str:
    # The lower-case names of proxy variables are read too, and first.
    return (name.endswith("_PROXY") and seen.environ.get(name.lower(), "")) or seen.environ.get(name, "")


def _find_problem(variable: Variable, value: str, seen: Observations) -> Problem | None:
    if variable.names_file and (why := seen.unreadable.get(value)):
        return Problem(
            code="DOCTOR-VARIABLE-FILE",
            what=f"{variable.name} names a file that can't be used.",
            why=why,
            do=(f"Correct the path: export {variable.name}={variable.example}", f"Or remove it: unset {variable.name}"),
        )
    fault = next((fault for fault in variable.rule(value) if not fault.warning), None) if variable.rule else None
    return _invalid(variable.name, fault) if fault else None


def _invalid(name: str, fault: Fault) -> Problem:
    return Problem(
        code="DOCTOR-VARIABLE-INVALID",
        what=f"{name} has a value that can't be used.",
        why=fault.why,
        do=(*fault.do, f"Or remove it: unset {name}"),
        aws_docs=fault.aws_docs,
    )


def _show_value(name: str, value: str, seen: Observations) -> str:
    """Render a value; of a secret only that it is set."""
    source = " (from .env)" if name in seen.from_dotenv else ""
    return f"set{source}" if is_secret_name(name) or name in CREDENTIAL_VARIABLES else f"{redact_line(value)}{source}"


def _examine_reference(reference: Reference, seen: Observations) -> Finding:
    name, value = reference.name, seen.environ.get(reference.name, "")
    known = next((variable for variable in VARIABLES if variable.name == name), None)
    purpose = f"{reference.where} in {seen.config.path}"
    if value:
        problem = _find_problem(known, value, seen) if known else None
        # The value of the user's own variable is not shown.
        found = _show_value(name, value, seen) if known and not reference.is_secret else "set"
        return Finding(kind="variable", name=name, purpose=purpose, status="wrong" if problem else "ok", found=found, problem=problem)
    if reference.has_default:
        return Finding(kind="variable", name=name, purpose=purpose, status="unset", how=f"export {name}=... (there is a default)")
    how = _show_export(reference, known)
    return Finding(kind="variable", name=name, purpose=purpose, status="missing", problem=_not_set(reference, seen, how), how=how)


def _show_export(reference: Reference, known: Variable | None) -> str:
    """Show a command that can be typed. A secret is not typed into the command line, which the shell's history keeps."""
    name = reference.name
    return f"read -rs {name} && export {name}" if reference.is_secret else f"export {name}={known.example if known else 'VALUE'}"


def _not_set(reference: Reference, seen: Observations, how: str) -> Problem:
    alike = find_nearest(reference.name, seen.environ)
    return Problem(
        code="CONFIG-ENV-MISSING",
        what=f"The environment variable {reference.name} is not set.",
        why=f"{reference.where} in {seen.config.path} takes its value from this variable, and has no default.",
        do=(
            *((f"A variable {alike} is set: did you mean that one?",) if alike else ()),
            f"Set it: {how}",
            "Or write it into the .env file beside the configuration.",
        ),
    )


def _examine_override(name: str, seen: Observations) -> Finding:
    """Examine `SRE_AGENT__SECTION__FIELD`: a name that is no setting would make the configuration invalid."""
    key = name.removeprefix(PREFIX).lower().replace("__", ".")
    keys = {"version", *(question.key for question in list_questions())}
    if key in keys or key.startswith("tags."):
        return Finding(kind="variable", name=name, purpose=f"overrides {key}", status="ok", found="set")
    nearest = find_nearest(key, keys)
    spelled = f"{PREFIX}{nearest.upper().replace('.', '__')}" if nearest else ""
    problem = Problem(
        code="DOCTOR-OVERRIDE-UNKNOWN",
        what=f"{name} overrides no setting.",
        why=f"There is no setting {key}, and a configuration with an unknown one is refused.",
        do=(*((f"Did you mean {spelled}?",) if spelled else ()), f"Remove it: unset {name}"),
    )
    return Finding(kind="variable", name=name, purpose="overrides a setting", status="wrong", found="set", problem=problem)


def _list_redirections(seen: Observations) -> Iterator[Finding]:
    """List variables that redirect AWS calls, or that local mode ignores."""
    if seen.mode == "local":
        ignored = sorted(name for name in seen.environ if name.startswith("AWS_") and name not in seen.from_dotenv)
        for name in ignored:
            yield Finding(kind="variable", name=name, purpose="none: local mode ignores it", status="note", found="set")
        return
    for name in sorted(seen.environ):
        if name.startswith("AWS_ENDPOINT_URL_") or name == "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS":
            purpose = "sends the calls of one service to another endpoint than AWS_ENDPOINT_URL"
            yield Finding(kind="variable", name=name, purpose=purpose, status="note", found="set", how=f"unset {name}")


PURPOSE = "identity of the deployer; AWS grants permissions by it"
# In the order of AWS's own library, which uses the first.
SOURCES = (
    (("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "keys in the environment"),
    (("AWS_PROFILE",), "a profile"),
    (("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN"), "a role by web identity"),
    (("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",), "the container's role"),
    (("AWS_CONTAINER_CREDENTIALS_FULL_URI",), "the container's role"),
)
CREDENTIAL_VARIABLES = frozenset({name for names, _ in SOURCES for name in names} | {"AWS_SESSION_TOKEN"})


def examine_credentials(seen: Observations) -> Iterator[Finding]:
    """Examine the credentials of production mode; local mode makes its own."""
    if seen.mode == "local":
        return
    faults = tuple(_find_faults(seen))
    for problem in faults:
        yield Finding(
            kind="credentials", name="AWS credentials", purpose=PURPOSE, status="wrong", found=_find_source(seen), problem=problem
        )
    if not faults:
        yield _examine_identity(seen)


def _find_faults(seen: Observations) -> Iterator[Problem]:
    environ = seen.environ
    key, secret = environ.get("AWS_ACCESS_KEY_ID", ""), environ.get("AWS_SECRET_ACCESS_KEY", "")
    if bool(key) != bool(secret):
        yield _half(*("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY") if key else ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"))
    # Keys of AWS Security Token Service begin with ASIA. AWS accepts them only together with their token.
    if key.startswith("ASIA") and not environ.get("AWS_SESSION_TOKEN"):
        yield _half("AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN")
    profile = environ.get("AWS_PROFILE", "")
    if profile and profile not in seen.profiles and not (key and secret):
        yield _unknown_profile(profile, seen.profiles)


def _find_source(seen: Observations) -> str:
    by_variable = next((says for names, says in SOURCES if all(seen.environ.get(name) for name in names)), "")
    return by_variable or ("the default profile" if "default" in seen.profiles else "")


def _examine_identity(seen: Observations) -> Finding:
    account, wanted, source = seen.identity.account_id, seen.config.account_id, _find_source(seen)
    if account and wanted and account != wanted:
        problem = other_account(account, wanted)
        return Finding(kind="credentials", name="AWS credentials", purpose=PURPOSE, status="wrong", found=source, problem=problem)
    if account:
        found = ", ".join(filter(None, (f"account {account}", source or "this machine's role")))
        return Finding(kind="credentials", name="AWS credentials", purpose=PURPOSE, status="ok", found=found)
    if seen.identity.problem:
        missing = seen.identity.problem.code == "AWS-CREDENTIALS"
        status: Status = "missing" if missing and not source else "wrong"
        return Finding(
            kind="credentials", name="AWS credentials", purpose=PURPOSE, status=status, found=source, problem=seen.identity.problem
        )
    found = f"{source or 'none in the environment or a profile'}; AWS did not answer, so it is not known whether they are valid"
    return Finding(kind="credentials", name="AWS credentials", purpose=PURPOSE, status="note", found=found)


def _half(name: str, absent: str) -> Problem:
    return Problem(
        code="DOCTOR-KEYS-INCOMPLETE",
        what=f"{name} is set and {absent} is not.",
        why="AWS accepts only complete keys, and uses no other credentials when one is in the environment.",
        do=(f"Set {absent} as well; they were issued together.", f"Or use a profile instead: unset {name}; export AWS_PROFILE=..."),
        aws_docs="https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html",
    )


def _unknown_profile(profile: str, profiles: frozenset[str]) -> Problem:
    nearest = find_nearest(profile, sorted(profiles))
    return Problem(
        code="DOCTOR-PROFILE-UNKNOWN",
        what=f"AWS_PROFILE names {profile}, which is in neither ~/.aws/config nor ~/.aws/credentials.",
        why=f"The profiles there are: {', '.join(sorted(profiles)) or 'none'}.",
        do=(
            *((f"Did you mean {nearest}? export AWS_PROFILE={nearest}",) if nearest else ()),
            f"Create it: aws configure sso --profile {profile}",
        ),
        aws_docs="https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html",
    )
