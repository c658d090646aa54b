"""Write the credentials of the services as files, and keep them current while secrets are rotated. It runs on the machine, as root."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from sre_agent_deploy.instance.aws import MachineAws
from sre_agent_deploy.instance.layout import USER, Layout
from sre_core import atomic_file
from sre_core.machine import Machine, SecretRef


def write_credentials(aws: MachineAws, machine: Machine, layout: Layout) -> tuple[str, ...]:
    """Write every credential as a file that only the services' user reads; return the values that no output may show."""
    texts = _read_texts(aws, machine, layout)
    for file, text in texts.items():
        _write_owned(file, text)
    return tuple(line for text in texts.values() for line in text.splitlines())


def keep_credentials(aws: MachineAws, machine: Machine, layout: Layout) -> tuple[str, ...]:
    """Write the credentials of which Secrets Manager has another value now; return the names of their files.

    Raises StepFailed where a secret can't be read: what the services have stays as it is.
    """
    texts = _read_texts(aws, machine, layout)
    changed = [file for file, text in texts.items() if file.read_text(encoding="utf-8") != text]
    for file in changed:
        _write_owned(file, texts[file])
    return tuple(f"{file.parent.name}/{file.name}" for file in changed)


def _read_texts(aws: MachineAws, machine: Machine, layout: Layout) -> dict[Path, str]:
    """Read the text of each file. Each secret is asked for once: AWS charges for every call, and the backends share one key."""
    files = dict(_list_files(machine, layout))
    texts = {reference: aws.secret(reference) for reference in set(files.values())}
    return {file: texts[reference] for file, reference in files.items()}


def _list_files(machine: Machine, layout: Layout) -> Iterator[tuple[Path, SecretRef]]:
    for service in machine.services:
        yield from ((layout.credential(service.name, name), reference) for name, reference in service.credentials.items())


def _write_owned(file: Path, text: str) -> None:
    owner = _find_owner()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if owner:
        os.chown(file.parent, *owner)
    atomic_file.write(file, text.encode(), mode=0o400, owner=owner)


@cache
def _find_owner() -> tuple[int, int] | None:
    """Return the services' user and group; None where there is no such user, as on the machine of a developer."""
    try:
        found = pwd.getpwnam(USER)
    except KeyError:
        return None
    return found.pw_uid, found.pw_gid
