"""Read the secrets of sources where the configuration says they are: a file, the environment, Secrets Manager."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from sre_agent_deploy.account.kubeconfig import flatten_kubeconfig
from sre_agent_deploy.aws import Aws
from sre_agent_deploy.config.fault import FieldPath, format_path
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.secret_reference import SecretReference
from sre_agent_deploy.config.sources import ClusterSource, LogSource
from sre_agent_deploy.instance.sources import list_credentials
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
