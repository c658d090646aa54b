"""The connection file that `sre-agent-deploy` writes: how to reach a deployed assistant."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from sre_core.problem import Problem, Refused, Where


@dataclass(frozen=True)
class SecretReference:
    """The address of a secret, never the secret itself."""

    secret_arn: str
    json_key: str
    region: str


@dataclass(frozen=True, kw_only=True)
class Connection:
    """One deployment's assistant, its certificate authority, and the client that may ask it."""

    deployment_id: str
    assistant_url: str
    invocations_url: str
    ca_file: str
    oidc_discovery_url: str
    client_id: str
    scope: str
    client_secret: SecretReference
    registry: str
    prefix_token_endpoint: str = ""
    """The token endpoint at the pool's prefix, where the pool has a custom domain too."""

    @property
    def is_local(self) -> bool:
        """True for the local AWS: nothing may then be sent anywhere else."""
        return bool(self.registry)


def choose(*, file: str | None, deployment: str | None, state: Path) -> Connection:
    """Choose the connection that was named, else the only one. Raises Refused when there is none, or a choice."""
    if file:
        return load(Path(file))
    folder = state / "connections"
    if deployment:
        path = folder / f"{_find_named(folder, deployment) or deployment}.json"
        # Neither an id nor a name has a slash in it: a path is named with --connection.
        if "/" in deployment or not path.is_file():
            raise Refused(_unknown(deployment, folder))
        return load(path)
    known = list_deployments(state)
    if not known:
        raise Refused(_no_deployment(folder))
    if len(known) > 1:
        raise Refused(_ambiguous(known))
    return load(folder / f"{known[0]}.json")


def _find_named(folder: Path, name: str) -> str:
    """Return the id of the deployment with this name. Raises Refused when several have it; an id is found by its file."""
    found = tuple(sorted(path.stem for path in folder.glob("*.json") if _read_name(path) == name))
    if len(found) > 1:
        raise Refused(_ambiguous(found))
    return found[0] if found else ""


def _read_name(path: Path) -> str:
    """Read the name in a connection file; empty where it has none, or is damaged: choosing it says so."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ""
    return str(document.get("name", "")) if isinstance(document, dict) else ""


def list_deployments(state: Path) -> tuple[str, ...]:
    """List the deployments that have a connection file."""
    return tuple(sorted(path.stem for path in (state / "connections").glob("*.json")))


def load(path: Path) -> Connection:
    """Load the connection in `path`. Raises Refused when it is missing, damaged or of a newer schema."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if document["schema"] != 1:
            raise Refused(_unreadable(path, f"schema {document['schema']} is not one that this version reads"))
        secret = document["client_secret"]
        connection = Connection(
            deployment_id=str(document["deployment_id"]),
            assistant_url=str(document["assistant_url"]).rstrip("/"),
            # Older files have the first only: the assistant then answers below it.
            invocations_url=str(document.get("invocations_url") or f"{str(document['assistant_url']).rstrip('/')}/invocations"),
            ca_file=str(document.get("ca_file", "")),
            oidc_discovery_url=str(document["oidc_discovery_url"]),
            client_id=str(document["client_id"]),
            scope=str(document["scope"]),
            client_secret=SecretReference(str(secret["secret_arn"]), str(secret["json_key"]), str(secret["region"])),
            registry=str(document.get("aws", {}).get("registry", "")),
            prefix_token_endpoint=str(document.get("prefix_token_endpoint", "")),
        )
    except (OSError, ValueError) as error:
        raise Refused(_unreadable(path, str(error))) from error
    except (KeyError, TypeError, AttributeError) as error:
        raise Refused(_unreadable(path, f"it lacks {error}")) from error
    if not (connection.assistant_url.startswith("https://") and connection.invocations_url.startswith("https://")):
        raise Refused(_unreadable(path, "assistant_url or invocations_url is not https"))
    return connection


def _no_deployment(folder: Path) -> Problem:
    return Problem(
        code="NO-DEPLOYMENT",
        what="There is no deployment to ask.",
        why=f"{folder} holds no connection file.",
        do=(
            "Deploy one on this machine: sre-agent-deploy --config examples/local.yaml --mode local",
            "Or name a connection file with --connection FILE.",
        ),
    )


def _ambiguous(known: tuple[str, ...]) -> Problem:
    return Problem(
        code="DEPLOYMENT-AMBIGUOUS",
        what=f"There are {len(known)} deployments that could be asked: {', '.join(known)}.",
        why="The answer of one is not true of another, so none is chosen for you.",
        do=(f'Name one: sre-agent --deployment {known[0]} "..."', "See what each is: sre-agent-deploy list"),
    )


def _unknown(deployment: str, folder: Path) -> Problem:
    known = ", ".join(sorted(path.stem for path in folder.glob("*.json"))) or "none"
    return Problem(
        code="DEPLOYMENT-UNKNOWN",
        what=f"No connection file for a deployment with the id or name {deployment} was found.",
        why=f"{folder} has connection files for: {known}.",
        do=("Name one of these with --deployment, or leave the option out where there is only one.",),
    )


def _unreadable(path: Path, reason: str) -> Problem:
    return Problem(
        code="CONNECTION-UNREADABLE",
        what="The connection file can't be used.",
        why=reason,
        do=(
            "Deploy again, which writes the file: sre-agent-deploy deploy --config config.yaml",
            "Or name another one with --connection FILE.",
        ),
        where=Where(str(path)),
    )
