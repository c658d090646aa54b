"""Observe this machine: environment, programs, libraries, files and the identity of its AWS credentials."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

from sre_agent_deploy.aws.attempt import Lost, attempt
from sre_agent_deploy.config import Mode, format_path
from sre_agent_deploy.config.document import Malformed, Tree, parse, to_plain, walk
from sre_agent_deploy.config.document import Mapping as Document
from sre_agent_deploy.config.environment import Expansion, apply_overrides, find_references, read_dotenv
from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.text_file import read_text
from sre_agent_deploy.doctor import ConfigObservation, Identity, Observations
from sre_agent_deploy.doctor.examine import PROGRAMS
from sre_agent_deploy.doctor.variables import VARIABLES
from sre_agent_deploy.interactive.proposals import ONCE, build_aws
from sre_core.problem import Problem
from sre_core.regions import is_plausible_region
from sre_core.state_folder import find_problem, state_folder_path

LONGEST_WAIT = 6.0
_REQUIREMENT = re.compile(r"(?P<name>[A-Za-z0-9._-]+)(\[(?P<extras>[^\]]*)\])?[^;]*;\s*extra\s*==\s*['\"](?P<extra>[^'\"]+)['\"]")


def observe(config_file: Path, mode: Mode | None, environ: Mapping[str, str]) -> Observations:
    """Collect all observations. In local mode AWS is not called."""
    reading = read_configuration(config_file, mode, environ)
    known = {**reading.dotenv, **environ}
    folder = state_folder_path(environ)
    return Observations(
        mode=reading.mode,
        python=sys.version_info[:3],
        system=sys.platform,
        environ=known,
        from_dotenv=frozenset(reading.dotenv.keys() - environ.keys()),
        programs={program.name: path for program in PROGRAMS if (path := shutil.which(program.name))},
        aws_cli=_read_aws_cli_version() if reading.mode == "production" else "",
        libraries=dict(_list_libraries("local")),
        profiles=frozenset(_list_profiles(environ)),
        unreadable=dict(_find_unreadable_files(known)),
        state_folder=str(folder),
        state_folder_problem=find_problem(folder),
        config=reading.config,
        identity=_identify(reading.region, environ) if reading.mode == "production" else Identity(),
    )


def _read_aws_cli_version() -> str:
    path = shutil.which("aws")
    if not path:
        return ""
    try:
        # `--version` needs no credentials, and its output holds no secret.
        ended = subprocess.run([path, "--version"], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=10)  # noqa: S603
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return (ended.stdout or ended.stderr).strip()


def _list_libraries(extra: str) -> Iterator[tuple[str, str]]:
    """List the libraries that an extra of this distribution requires, with their installed versions."""
    for requirement in metadata.requires("sre-agent") or ():
        wanted = _REQUIREMENT.match(requirement)
        if not wanted or wanted["extra"] != extra:
            continue
        if wanted["name"] == "sre-agent":
            for inner in (wanted["extras"] or "").split(","):
                yield from _list_libraries(inner.strip())
        else:
            yield wanted["name"], _find_version(wanted["name"])


def _find_version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return ""


def _list_profiles(environ: Mapping[str, str]) -> Iterator[str]:
    """List the names of all profiles, without reading their content."""
    for variable, usual in (("AWS_CONFIG_FILE", "~/.aws/config"), ("AWS_SHARED_CREDENTIALS_FILE", "~/.aws/credentials")):
        written = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            written.read(Path(environ.get(variable, usual)).expanduser(), encoding="utf-8")
        except (configparser.Error, OSError, UnicodeDecodeError, RuntimeError):
            continue
        yield from (section.removeprefix("profile ").strip() for section in written.sections())


def _find_unreadable_files(environ: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for variable in VARIABLES:
        path = environ.get(variable.name, "") if variable.names_file else ""
        if path and (why := _find_obstacle(Path(path))):
            yield path, why


def _find_obstacle(path: Path) -> str:
    try:
        with path.open("rb") as file:
            head = file.read(1 << 20)
    except OSError as error:
        return f"{error.strerror}."
    return "" if b"-----BEGIN " in head else "It is not a PEM file: it has no -----BEGIN in it."


def _identify(region: str, environ: Mapping[str, str]) -> Identity:
    """Ask AWS for the identity of the credentials, and wait at most LONGEST_WAIT."""
    aws = build_aws(region, environ)
    answers: list[str | Problem | Lost] = []
    thread = threading.Thread(target=lambda: answers.append(attempt(lambda: aws.account_id, progress=ONCE)), daemon=True)
    thread.start()
    thread.join(LONGEST_WAIT)
    match answers:
        case [str(account_id)]:
            return Identity(account_id)
        case [Problem() as problem]:
            return Identity(problem=problem)
    return Identity()


@dataclass(frozen=True)
class Reading:
    """A configuration file and the .env file beside it, with mode and region."""

    config: ConfigObservation
    dotenv: Mapping[str, str]
    mode: Mode
    region: str


def read_configuration(path: Path, mode: Mode | None, environ: Mapping[str, str]) -> Reading:
    """Read the file as far as possible. Without a file the mode is production."""
    dotenv = read_dotenv_beside(path)
    usual = environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or "us-east-1"
    if not path.exists():
        return Reading(ConfigObservation(str(path)), dotenv, mode or "production", usual)
    loaded = load(path, environ=environ, mode=mode)
    problems = loaded if isinstance(loaded, tuple) else ()
    tree = _parse_config(path)
    values = _read_values(tree, {**dotenv, **environ})
    region = values.get("aws.region", usual)
    seen = ConfigObservation(str(path), True, problems, tuple(find_references(tree)) if tree else (), values.get("aws.account_id", ""))
    named: Mode = "local" if values.get("mode") == "local" else "production"
    return Reading(seen, dotenv, mode or named, region if is_plausible_region(region) else "us-east-1")


def read_dotenv_beside(config: Path) -> Mapping[str, str]:
    """Read the .env file beside a configuration; an unreadable one counts as empty."""
    path = config.parent / ".env"
    text = read_text(path) if path.is_file() else ""
    return {} if isinstance(text, Problem) else read_dotenv(text)[0]


def _parse_config(path: Path) -> Tree | None:
    text = read_text(path)
    tree = parse(text) if isinstance(text, str) else None
    return None if isinstance(tree, Malformed) else tree


def _read_values(tree: Tree | None, environ: Mapping[str, str]) -> dict[str, str]:
    """Read each text field by its dotted name, with the values of the environment."""
    expanded = Expansion(environ).expand(apply_overrides(tree, environ)) if isinstance(tree, Document) else None
    return {format_path(path): text for path, node in walk(expanded) if isinstance(text := to_plain(node), str)} if expanded else {}
