"""The credentials are valid, and are those of the account that the configuration names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sre_agent_deploy.account.other_account import other_account
from sre_agent_deploy.checks.before.account import Account, Caller
from sre_agent_deploy.checks.check import Verdict
from sre_core.problem import Problem

# What AWS answers to those it does not know or trust is a fact; an STS that can't be reached or asked is not.
_REFUSED = ("AWS-CREDENTIALS", "AWS-CLOCK-WRONG", "AWS-ACCOUNT-NOT-READY")


@dataclass(frozen=True)
class SignedIn:
    """Who we are, or why AWS takes us for nobody, beside the account that is wanted (empty: any)."""

    caller: Caller | Problem
    wanted: str


class CredentialsHold:
    """AWS knows who we are, and it is the configuration's account: nothing is looked at, let alone touched, in another."""

    id: ClassVar[str] = "account.credentials"
    proves: ClassVar[str] = "the credentials are valid and belong to the configured account"
    requirements: ClassVar[tuple[str, ...]] = ("4.2", "5.4")
    required: ClassVar[bool] = True

    def probe(self, world: Account) -> SignedIn | Problem:
        caller = world.caller
        if isinstance(caller, Problem) and caller.code not in _REFUSED:
            return caller
        return SignedIn(caller, world.config.aws.account_id)

    def judge(self, facts: SignedIn) -> Verdict:
        if isinstance(facts.caller, Problem):
            return Verdict(False, facts.caller.what, facts.caller)
        actual = facts.caller.account_id
        if facts.wanted and actual != facts.wanted:
            return Verdict(
                False, f"signed in to account {actual}, not {facts.wanted}", other_account(actual, facts.wanted, arn=facts.caller.arn)
            )
        return Verdict(True, f"signed in to account {actual} as {facts.caller.arn}")
