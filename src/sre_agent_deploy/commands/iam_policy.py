"""`iam-policy`: the policies of the identity that deploys, for an administrator to create. Changes nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from sre_agent_deploy.account.account import describe_account, open_production_account
from sre_agent_deploy.aws.attempt import ask_or_refuse
from sre_agent_deploy.blueprint import blueprint
from sre_agent_deploy.commands import Request
from sre_agent_deploy.commands.workspace import load_config
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.regions import partition_of
from sre_agent_deploy.deployer_policy import list_statements, name_policies, split_policies
from sre_core import atomic_file
from sre_core.problem import Problem, Refused


def write_policies(request: Request) -> Mapping[str, Any]:
    """Write the policies of a configuration, by name. Raises Refused with every fault of the configuration.

    The account's number is part of the deployment's id, and so of most ARNs: without aws.account_id AWS is asked for it.
    """
    config = load_config(request)
    if config.mode == "local":
        raise Refused(_local())
    account_id = config.aws.account_id or _ask_account(config)
    facts = replace(describe_account(config), account_id=account_id, partition=partition_of(config.aws.region))
    plan = blueprint(config, facts)
    policies = split_policies(list_statements(config, plan, account_id))
    return dict(zip(name_policies(plan.deployment, len(policies)), policies, strict=True))


def save_policies(policies: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Write each policy into a file of its own, named like it."""
    folder.mkdir(parents=True, exist_ok=True)
    files = tuple(folder / f"{name}.json" for name in policies)
    for file, policy in zip(files, policies.values(), strict=True):
        atomic_file.write(file, (json.dumps(policy, indent=2) + "\n").encode())
    return files


def _ask_account(config: Config) -> str:
    account = open_production_account(config)
    return ask_or_refuse(account.aws, lambda: account.aws.account_id)


def _local() -> Problem:
    return Problem(
        code="IAM-POLICY-LOCAL",
        what="There is no policy for local mode.",
        why="In local mode everything is done as the root of the local AWS, which needs no policy.",
        do=("Name the mode that the policy is for: sre-agent-deploy iam-policy --mode production",),
    )
