"""Read the secrets of sources where the configuration says they are: a file, the environment, Secrets Manager.

A kubeconfig is made complete in itself: one context, with the content of the files that it names, as `kubectl config view --flatten`.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.config import FieldPath, format_path
from sre_agent_deploy.config.environment import SecretReference
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.sources import ClusterSource, LogSource
from sre_agent_deploy.instance.user_data import list_credentials
from sre_core.problem import Problem, Refused
from sre_core.secret import Secret

type Secrets = Mapping[tuple[str, str], Secret]


def read_source_secrets(config: Config, aws: Aws) -> Secrets:
    """Read every secret, by service and key. Raises Refused with all that can't be read."""
    found: dict[tuple[str, str], Secret] = {}
    problems: list[Problem] = []
    for each in list_credentials(config):
        value = _read(each.reference, aws)
        if isinstance(each.source, ClusterSource | LogSource) and each.path[-1] == "kubeconfig" and isinstance(value, Secret):
            value = flatten_kubeconfig(value, _folder(each.reference), each.source.context, here=config.mode == "local")
        if isinstance(value, Secret):
            found[each.service, each.key] = value
        else:
            problems.append(_unreadable(each.path, each.reference, value))
    if problems:
        raise Refused(*problems)
    return found


def name_source_secrets(config: Config) -> Secrets:
    """Name the secrets without reading them: they may be on the machine that deploys."""
    return {(each.service, each.key): Secret("") for each in list_credentials(config)}


def _folder(reference: SecretReference) -> Path:
    return Path(reference.name).expanduser().parent if reference.store == "file" else Path()


def _read(reference: SecretReference, aws: Aws) -> Secret | str:
    """Read one value, or say why it can't be read."""
    match reference.store:
        case "env":
            return Secret(os.environ[reference.name]) if os.environ.get(reference.name) else "The variable is not set, or empty"
        case "file":
            return _read_file(Path(reference.name).expanduser())
        case "aws-secretsmanager":
            answer = aws.client("secretsmanager").get_secret_value(SecretId=reference.name)
            return Secret(answer["SecretString"])


def _read_file(path: Path) -> Secret | str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        return str(error.strerror)
    except UnicodeDecodeError:
        return "It is not text"
    return Secret(text) if text else "It is empty"


def _unreadable(path: FieldPath, reference: SecretReference, why: str) -> Problem:
    return Problem(
        code="SOURCE-SECRET-UNREADABLE",
        what=f"{format_path(path)} ({reference}) can't be used.",
        why=f"{why}.",
        do=(
            "Correct the reference in config.yaml, or what it refers to, and run the same command again.",
            *(("kubectl config get-contexts shows the contexts of a kubeconfig.",) if path[-1] == "kubeconfig" else ()),
        ),
    )


# What a program of another folder needs to find itself and its login: an exec plugin runs in a service without them.
_OF_THE_USER = ("HOME", "PATH")
_FILES = ("certificate-authority", "client-certificate", "client-key")


def flatten_kubeconfig(text: Secret, folder: Path, context: str, *, here: bool) -> Secret | str:
    """Return the kubeconfig with this context only, or why it can't be used. `here` keeps exec plugins working on this machine."""
    document = _parse(text)
    if isinstance(document, str):
        return document
    name = context or document.get("current-context") or ""
    found = _find(document, "contexts", name)
    if found is None:
        return f"It has no context {name}" if name else "It has no current context; set `context`"
    cluster, user = (_find(document, f"{kind}s", found.get(kind, "")) for kind in ("cluster", "user"))
    if cluster is None or user is None:
        return f"The cluster or the user of the context {name} is not in it"
    try:
        parts = {"cluster": _inline(cluster, folder), "user": _inline_user(user, folder, here=here)}
    except OSError as error:
        return f"{error.filename}, which it names, can't be read: {error.strerror}"
    return Secret(json.dumps(_compose(name, found, parts)))


def _parse(text: Secret) -> Mapping[str, Any] | str:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        document = YAML(typ="safe", pure=True).load(text.reveal())
    except YAMLError:
        # Its message quotes the line, which may hold a token.
        return "It is not YAML"
    return document if isinstance(document, Mapping) else "It is not a kubeconfig"


def _find(document: Mapping[str, Any], kind: str, name: str) -> Mapping[str, Any] | None:
    found = next((each for each in document.get(kind) or () if isinstance(each, Mapping) and each.get("name") == name), {})
    below = found.get(kind.removesuffix("s"))
    return below if isinstance(below, Mapping) else None


def _inline(part: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Put the content of files where their names were."""
    files = {name: folder / str(part[name]) for name in _FILES if part.get(name)}
    kept = {name: value for name, value in part.items() if name not in files}
    return {**kept, **{f"{name}-data": base64.b64encode(path.read_bytes()).decode() for name, path in files.items()}}


def _inline_user(user: Mapping[str, Any], folder: Path, *, here: bool) -> dict[str, Any]:
    inlined = _inline(user, folder)
    if path := inlined.pop("tokenFile", None):
        inlined["token"] = (folder / str(path)).read_text(encoding="utf-8").strip()
    if here and isinstance(user.get("exec"), Mapping):
        inlined["exec"] = _locate_plugin(user["exec"], folder)
    return inlined


def _locate_plugin(plugin: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """Name a plugin by its whole path, and give it what it has in the user's own shell."""
    command = str(plugin.get("command", ""))
    # A path with a slash is relative to the kubeconfig, a bare name is looked up.
    located = str((folder / command).absolute()) if "/" in command else shutil.which(command) or command
    own = [{"name": name, "value": os.environ[name]} for name in _OF_THE_USER if os.environ.get(name)]
    return {**plugin, "command": located, "env": [*own, *(plugin.get("env") or ())]}


def _compose(name: str, context: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    named = {kind: {"name": context[kind], kind: part} for kind, part in parts.items()}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": name,
        "contexts": [{"name": name, "context": dict(context)}],
        "clusters": [named["cluster"]],
        "users": [named["user"]],
    }
