"""Credentials of another account than the one that is meant (pure)."""

from __future__ import annotations

from sre_core.problem import Problem


def other_account(actual: str, wanted: str, *, arn: str = "") -> Problem:
    """Nothing is looked at, let alone touched, in an account that nobody meant. `arn` is who the credentials are, where that is known."""
    whose = f"They are {arn}: another" if arn else "Another"
    return Problem(
        code="AWS-OTHER-ACCOUNT",
        what=f"The credentials belong to account {actual}; the deployment is for account {wanted}.",
        why=f"{whose} profile or role is active than the one that the configuration, or the state file, was written for.",
        do=(
            f"Sign in to account {wanted} (check with `aws sts get-caller-identity`), or correct aws.account_id.",
            "Nothing was changed. A state file that somebody edited must be put back.",
        ),
    )
