"""Examine AWS credentials: their presence, completeness and account (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent_deploy.account.facts import other_account
from sre_agent_deploy.doctor.model import Finding, Observations, Status
from sre_core.nearest import find_nearest
from sre_core.problem import Problem

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
    meant = find_nearest(profile, sorted(profiles))
    return Problem(
        code="DOCTOR-PROFILE-UNKNOWN",
        what=f"AWS_PROFILE names {profile}, which is in neither ~/.aws/config nor ~/.aws/credentials.",
        why=f"The profiles there are: {', '.join(sorted(profiles)) or 'none'}.",
        do=(
            *((f"Did you mean {meant}? export AWS_PROFILE={meant}",) if meant else ()),
            f"Create it: aws configure sso --profile {profile}",
        ),
        aws_docs="https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-files.html",
    )
