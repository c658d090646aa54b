"""Explains why a local deployment can't be reached: its local AWS has ended, or it runs with another HOME or as another user."""

from __future__ import annotations

from pathlib import Path

from sre_agent_deploy.account import local
from sre_agent_deploy.journal.state import State
from sre_core.problem import Problem
from sre_core.state_folder import state_folder


def is_running(state: State) -> bool:
    """Return True if the local AWS of a state still runs."""
    registry = local.find_running()
    return registry is not None and registry.start_id == state.aws.get("start_id")


def explain_missing_aws(state: State | None) -> Problem:
    """Explain why no local AWS is found: it has ended, or it runs with another HOME or as another user."""
    return (find_elsewhere(state) if state else None) or _local_aws_gone(state)


def find_elsewhere(state: State) -> Problem | None:
    """Look for the local AWS of a state where the state says that it was started; None if nothing is left in it, or if it was here."""
    registry_file = Path(state.aws.get("registry", ""))
    if not state.alive() or not registry_file.name or registry_file.parent == state_folder().absolute():
        return None
    try:
        registry = local.find_running(registry_file)
    except PermissionError:
        return _aws_elsewhere(state, registry_file, "This user may not look there, so nothing is known about it.")
    if registry is None or registry.start_id != state.aws.get("start_id"):
        return None
    return _aws_elsewhere(state, registry_file, f"It still runs there, as process {registry.pid}.")


def _aws_elsewhere(state: State, registry_file: Path, known: str) -> Problem:
    folder = registry_file.parent
    return Problem(
        code="LOCAL-RUNS-ELSEWHERE",
        what=f"Deployment {state.deployment} is in a local AWS of another state folder: {folder}.",
        why=f"It was started with another HOME or SRE_AGENT_STATE_DIR, or by another user. {known}",
        do=(
            f"Run the same command there: SRE_AGENT_STATE_DIR={folder} sre-agent-deploy …, as the user who owns that folder.",
            "To deploy here as well, use another state file: --state-file .deployment_state.here",
        ),
    )


def _local_aws_gone(state: State | None) -> Problem:
    """Explain that no local AWS runs. Only a state that says where its AWS was started proves that nothing is left."""
    name = f"Deployment {state.deployment}" if state else "A local deployment"
    file = state.config_file if state and state.config_file else "examples/local.yaml"
    deploy = f"Deploy again: `sre-agent-deploy deploy --config {file} --mode local`."
    if state and state.aws.get("registry"):
        other = "Nothing is left to clean up."
    else:
        other = "If it was deployed with another HOME or by another user, run the command there: only that state folder says if it runs."
    return Problem(
        code="LOCAL-AWS-GONE",
        what=f"{name} is not there: no local AWS runs for the state folder {state_folder()}.",
        why="A local deployment lives in memory. It ends when its AWS is stopped or killed, or when the machine is restarted.",
        do=(deploy, other),
    )
