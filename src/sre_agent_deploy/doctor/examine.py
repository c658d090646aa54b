"""START HERE: turn observations into findings, in the order in which to correct them (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent_deploy.doctor.credentials import examine_credentials
from sre_agent_deploy.doctor.model import Finding, Observations, Status
from sre_agent_deploy.doctor.programs import examine_libraries, examine_programs, examine_python
from sre_agent_deploy.doctor.variables import examine_variables
from sre_core.problem import Problem


def examine(seen: Observations) -> tuple[Finding, ...]:
    """List every finding, good ones included."""
    return (
        examine_python(seen),
        *examine_libraries(seen),
        *examine_programs(seen),
        *examine_credentials(seen),
        *examine_variables(seen),
        *_examine_files(seen),
    )


def _examine_files(seen: Observations) -> Iterator[Finding]:
    yield _examine_config(seen)
    purpose = "keeps connections, the local certificate authority and the registry of local mode"
    status: Status = "wrong" if seen.state_folder_problem else "ok"
    yield Finding(
        kind="file", name="state folder", purpose=purpose, status=status, found=seen.state_folder, problem=seen.state_folder_problem
    )


def _examine_config(seen: Observations) -> Finding:
    config, purpose = seen.config, "describes the deployment"
    if not config.exists:
        how = f"sre-agent-deploy init --mode {seen.mode} --output {config.path}"
        return Finding(kind="file", name=config.path, purpose=purpose, status="unset", how=how)
    # A variable that is not set has its own finding.
    faults = [problem for problem in config.problems if problem.code != "CONFIG-ENV-MISSING"]
    if not faults and config.problems:
        found = "not valid until the variables above are set"
        return Finding(kind="file", name=config.path, purpose=purpose, status="note", found=found)
    if not faults:
        return Finding(kind="file", name=config.path, purpose=purpose, status="ok", found="valid")
    return Finding(kind="file", name=config.path, purpose=purpose, status="wrong", found="not valid", problem=_faulty(config.path, faults))


def _faulty(path: str, faults: list[Problem]) -> Problem:
    return Problem(
        code="DOCTOR-CONFIG-FAULTS",
        what=f"{path} has {len(faults)} fault{'s' if len(faults) > 1 else ''}.",
        why="A deployment starts only with a valid configuration.",
        do=(f"Show each with its line: sre-agent-deploy validate --config {path}",),
        context={"faults": ", ".join(dict.fromkeys(fault.code for fault in faults))},
    )
