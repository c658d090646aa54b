"""START HERE: turn observations into findings, in the order in which to correct them: Python and programs, then the rest (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sre_agent_deploy.config import Mode
from sre_agent_deploy.doctor import Finding, Observations, Status
from sre_agent_deploy.doctor.variables import examine_credentials, examine_variables
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


LEAST_PYTHON = (3, 12)


@dataclass(frozen=True, kw_only=True)
class Program:
    """A program on PATH. `needed` names the operating systems where nothing works without it."""

    name: str
    purpose: str
    how: str
    modes: frozenset[Mode]
    needed: frozenset[str] = frozenset()


PRODUCTION: frozenset[Mode] = frozenset({"production"})
LOCAL: frozenset[Mode] = frozenset({"local"})
MACOS = frozenset({"darwin"})
PROGRAMS = (
    Program(
        name="aws",
        purpose="signs in (`aws sso login`) and shows who you are; the deployer itself calls AWS without it",
        how="Install AWS CLI version 2: https://docs.aws.amazon.com/cli/latest/userguide/getting-started-install.html",
        modes=PRODUCTION,
    ),
    Program(
        name="session-manager-plugin",
        purpose="opens a shell on the instance (`aws ssm start-session`) without any open port",
        how="Install it: https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-working-with-install-plugin.html",
        modes=PRODUCTION,
    ),
    Program(
        name="certbot",
        purpose="gets a certificate from Let's Encrypt, if you have no certificate of another authority",
        how="Install it: https://certbot.eff.org",
        modes=PRODUCTION,
    ),
    # Without /proc, the local AWS uses these two to find out whether its processes still run.
    Program(name="ps", purpose="shows whether the local AWS runs", how="It is part of macOS.", modes=LOCAL, needed=MACOS),
    Program(name="sysctl", purpose="shows when this machine started", how="It is part of macOS.", modes=LOCAL, needed=MACOS),
)


def examine_python(seen: Observations) -> Finding:
    """Examine the Python that runs this."""
    found = ".".join(map(str, seen.python))
    good = seen.python[:2] >= LEAST_PYTHON
    return Finding(
        kind="python",
        name="python",
        purpose="runs this tool",
        status="ok" if good else "wrong",
        found=found,
        problem=None if good else _old_python(found),
    )


def examine_libraries(seen: Observations) -> Iterator[Finding]:
    """Examine the libraries that local mode needs besides the deployer's own. Those that are there share one finding."""
    absent = [name for name, version in seen.libraries.items() if not version]
    purpose = "run AWS, the services and the assistant on this machine"
    if seen.mode != "local" or not seen.libraries:
        return
    if not absent:
        yield Finding(kind="library", name="sre-agent[local]", purpose=purpose, status="ok", found=f"{len(seen.libraries)} libraries")
        return
    for name in absent:
        yield Finding(kind="library", name=name, purpose=purpose, status="missing", problem=_no_library(absent))


def examine_programs(seen: Observations) -> Iterator[Finding]:
    """Examine each program that this mode uses on this operating system."""
    for program in PROGRAMS:
        if seen.mode in program.modes and (not program.needed or seen.system in program.needed):
            yield _examine_program(program, seen)


def _examine_program(program: Program, seen: Observations) -> Finding:
    path = seen.programs.get(program.name, "")
    if program.name == "aws" and seen.aws_cli.startswith("aws-cli/1."):
        found, how = f"{path} (version 1, which has no `aws sso login`)", program.how
        return Finding(kind="program", name="aws", purpose=program.purpose, status="note", found=found, how=how)
    if path:
        return Finding(kind="program", name=program.name, purpose=program.purpose, status="ok", found=path)
    problem = _no_program(program) if program.needed else None
    status: Status = "missing" if problem else "unset"
    return Finding(kind="program", name=program.name, purpose=program.purpose, status=status, how=program.how, problem=problem)


def _old_python(found: str) -> Problem:
    return Problem(
        code="DOCTOR-PYTHON-OLD",
        what=f"This is Python {found}.",
        why="The deployer is written for Python 3.12 and later.",
        do=(
            "Install a newer one, for example: uv python install 3.12",
            "Then install sre-agent there: python3.12 -m venv ~/.sre-agent && ~/.sre-agent/bin/pip install sre-agent",
        ),
    )


def _no_library(names: list[str]) -> Problem:
    return Problem(
        code="DOCTOR-LIBRARY-MISSING",
        what=f"Not installed: {', '.join(names)}.",
        why="Local mode runs the local AWS and the services, which need more libraries than the deployer.",
        do=("Install them: pip install 'sre-agent[local]' (in a checkout: pip install '.[local]')",),
    )


def _no_program(program: Program) -> Problem:
    return Problem(
        code="DOCTOR-PROGRAM-MISSING",
        what=f"There is no program {program.name} on PATH.",
        why=f"It {program.purpose}.",
        do=(program.how, "Or, if it is installed, add its folder to PATH; services and shells can have different ones."),
    )
