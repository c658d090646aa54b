"""Build what runs in the account: the release of the machine, and the assistant's package for AgentCore Runtime."""

from __future__ import annotations

from pathlib import Path

from sre_agent_deploy.config.models import Config
from sre_agent_deploy.instance.interpreter import BUILD, PYTHON
from sre_agent_deploy.instance.interpreter import LOCK as UV_LOCK
from sre_agent_deploy.instance.release_archive import REQUIREMENTS as LOCK
from sre_agent_deploy.instance.release_archive import Archive, build_archive, build_package, find_carried, find_foreign_binaries
from sre_core.problem import Problem, Refused

LARGEST_PACKAGE = 250_000_000


def build_release(config: Config) -> Archive:
    """Build the release, with what it brings along. Raises Refused if something of that is missing."""
    return build_archive(_recording(config), _carried(config))


def build_runtime_package(config: Config) -> Archive:
    """Build the assistant's package, where AgentCore Runtime is to run one. Raises Refused if it can't be."""
    chosen = config.assistant
    if not chosen.on_runtime or chosen.image:
        return Archive(b"", "")
    libraries = Path(chosen.libraries) if chosen.libraries else None
    if libraries and not libraries.is_dir():
        raise Refused(_no_libraries(chosen.libraries))
    if libraries and (foreign := find_foreign_binaries(libraries)):
        raise Refused(_not_for_arm64(chosen.libraries, foreign))
    package = build_package(libraries)
    if len(package.bytes) > LARGEST_PACKAGE:
        raise Refused(_package_too_large(len(package.bytes)))
    return package


def _recording(config: Config) -> Path | None:
    """Return the user's own recording, which is added to the release; one that ships is in it already."""
    chosen = Path(config.services.recording)
    return chosen if chosen.is_dir() else None


def _carried(config: Config) -> tuple[Path, ...]:
    """Find what the release brings along, if a folder of it is named. Raises Refused if something is not in it."""
    folder = config.deployment.libraries
    if not folder:
        return ()
    found = find_carried(Path(folder), python=config.deployment.operating_system == "ubuntu-22.04")
    if found.missing:
        raise Refused(_not_carried(folder, found.missing))
    return found.files


def _not_carried(folder: str, missing: tuple[str, ...]) -> Problem:
    return Problem(
        code="INSTANCE-LIBRARIES-MISSING",
        what=f"The release was not built: {folder} lacks {', '.join(missing[:3])}{' …' if len(missing) > 3 else ''}.",
        why="deployment.libraries names a folder that has every library of the machine, as the files that its locks know by their hashes, "
        "and for Ubuntu 22.04 its Python.",
        do=(
            f"Fill it: python3 -m pip download --dest {folder} --python-version 3.12 --only-binary=:all: --require-hashes "
            f"-r {LOCK} -r {UV_LOCK} --platform manylinux_2_28_x86_64 --platform manylinux_2_17_x86_64 --platform manylinux2014_x86_64 "
            "(aarch64 for an instance type with Graviton)",
            *((_download_python(folder),) if f"Python {PYTHON}" in missing else ()),
            "Then run the same command again. Or leave deployment.libraries empty: the machine gets them from PyPI.",
        ),
    )


def _download_python(folder: str) -> str:
    build = f"cpython-{PYTHON}+{BUILD}-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz"
    url = f"https://github.com/astral-sh/python-build-standalone/releases/download/{BUILD}/{build.replace('+', '%2B')}"
    return f"Download Python for Ubuntu 22.04: curl --location --output {folder}/{build} {url}"


def _fill(folder: str) -> str:
    return (
        f"python3 -m pip install --target {folder} --python-version 3.12 --only-binary=:all: -r {LOCK} "
        "--platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 --platform manylinux2014_aarch64"
    )


def _not_for_arm64(folder: str, foreign: tuple[str, ...]) -> Problem:
    return Problem(
        code="RUNTIME-LIBRARIES-NOT-ARM64",
        what=f"The package for AgentCore Runtime was not built: {len(foreign)} binaries in {folder} are not for arm64.",
        why=f"AgentCore Runtime has arm64 processors and could not load {', '.join(foreign[:3])}{' …' if len(foreign) > 3 else ''}.",
        do=(f"Delete the folder and fill it again: {_fill(folder)}", "Then run the same command again."),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/runtime-get-started-code-deploy.html",
    )


def _no_libraries(folder: str) -> Problem:
    return Problem(
        code="RUNTIME-LIBRARIES-MISSING",
        what=f"The package for AgentCore Runtime was not built: {folder} is no folder.",
        why="assistant.libraries names the folder with the libraries for arm64 that the package brings along.",
        do=(
            f"Fill it: {_fill(folder)}",
            "Then run the same command again.",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/runtime-get-started-code-deploy.html",
    )


def _package_too_large(size: int) -> Problem:
    return Problem(
        code="RUNTIME-PACKAGE-TOO-LARGE",
        what=f"The package for AgentCore Runtime has {size // 1_000_000} MB.",
        why=f"AgentCore accepts {LARGEST_PACKAGE // 1_000_000} MB.",
        do=(
            "Delete what the assistant does not need from the folder that assistant.libraries names: tests, and files of other programs.",
            "Or set assistant.image to an image of containers/Dockerfile (target runtime), which may be larger.",
        ),
        aws_docs="https://docs.aws.amazon.com/bedrock-agentcore/latest/devguide/bedrock-agentcore-limits.html",
    )
