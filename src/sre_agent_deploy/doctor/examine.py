"""START HERE: from what was seen to what the doctor says, in the order in which one would put it right (pure)."""

from __future__ import annotations

from collections.abc import Iterator

from sre_agent_deploy.doctor.credentials import of_credentials
from sre_agent_deploy.doctor.environment import of_variables
from sre_agent_deploy.doctor.model import Finding, Seen, Status
from sre_agent_deploy.doctor.programs import of_libraries, of_programs, of_python
from sre_core.problem import Problem


def examine(seen: Seen) -> tuple[Finding, ...]:
    """Every finding, good ones included."""
    return (of_python(seen), *of_libraries(seen), *of_programs(seen), *of_credentials(seen), *of_variables(seen), *_files(seen))


def _files(seen: Seen) -> Iterator[Finding]:
    yield _config(seen)
    purpose = "keeps connections, the local certificate authority and the registry of local mode"
    status: Status = "wrong" if seen.state_folder_problem else "ok"
    yield Finding(
        kind="file", name="state folder", purpose=purpose, status=status, found=seen.state_folder, problem=seen.state_folder_problem
    )


def _config(seen: Seen) -> Finding:
    config, purpose = seen.config, "describes the deployment"
    if not config.exists:
        how = f"sre-agent-deploy init --mode {seen.mode} --output {config.path}"
        return Finding(kind="file", name=config.path, purpose=purpose, status="unset", how=how)
    # A variable that is not set is told once, as a variable.
    faults = [problem for problem in config.problems if problem.code != "CONFIG-ENV-MISSING"]
    if not faults:
        return Finding(kind="file", name=config.path, purpose=purpose, status="ok", found="valid")
    return Finding(kind="file", name=config.path, purpose=purpose, status="wrong", found="not valid", problem=_faulty(config.path, faults))


def _faulty(path: str, faults: list[Problem]) -> Problem:
    return Problem(
        code="DOCTOR-CONFIG-FAULTS",
        what=f"{path} has {len(faults)} fault{'s' if len(faults) > 1 else ''}.",
        why="A deployment begins only with a configuration that is right.",
        do=(f"See each with its line: sre-agent-deploy validate --config {path}",),
        context={"faults": ", ".join(dict.fromkeys(fault.code for fault in faults))},
    )
