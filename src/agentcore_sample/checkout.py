"""A folder with the sample's layout: its settings become config.yaml, and its files are written as its own scripts wrote them.

The flags of its main.py name resources of the user's own, or those that this deployment has created itself.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from agentcore_sample import REQUEST
from agentcore_sample.runtime import read_gateway_token
from sre_agent_deploy.backup.keep import rewrite
from sre_agent_deploy.commands import CONFIG, STATE
from sre_agent_deploy.commands.status import read_outputs, require_state
from sre_agent_deploy.commands.user import User
from sre_agent_deploy.commands.workspace import find_state
from sre_agent_deploy.config.edit import Field, put
from sre_agent_deploy.config.environment import read_dotenv
from sre_agent_deploy.config.models import VERSION
from sre_agent_deploy.config.text_file import Original, read_if_there, read_text
from sre_agent_deploy.journal.state import State
from sre_agent_deploy.migrate import migrate
from sre_agent_deploy.old_files import OldFile, find_old_files, is_ours, read_old
from sre_core import atomic_file, release
from sre_core.problem import Problem, Refused

_VARIABLES = ("gateway/.env", "sre_agent/.env", "deployment/.env")
# What these scripts write themselves is no setting.
_WRITTEN = ("agent_config.yaml", "GATEWAY_ACCESS_TOKEN")
_NEW = f"# Written by the sample's scripts.\nversion: {VERSION}\nmode: production\n"
_GENERATED = ("gateway/.gateway_uri", "gateway/.access_token", "gateway/.credentials_provider", "deployment/.agent_arn")
PLACEHOLDER = "https://your-agentcore-gateway-endpoint.gateway.bedrock-agentcore.us-east-1.amazonaws.com"
_REMOVED = "# GATEWAY_ACCESS_TOKEN=removed_in_reverse_mode"


@dataclass(frozen=True)
class Checkout:
    """The folder above gateway/, scripts/ and deployment/. A script works in it, as its deployment's config.yaml is there."""

    root: Path

    def export_variables(self) -> None:
        """Put the variables of the sample's .env files into the environment, except those that it has."""
        for place in _VARIABLES:
            text = read_text(self.root / place) if (self.root / place).is_file() else ""
            for name, value in read_dotenv(text)[0].items() if isinstance(text, str) else ():
                os.environ.setdefault(name, value)

    def configure(self, values: Mapping[Field, str], *, required: bool = True) -> None:
        """Bring config.yaml to the sample's settings and these values. Raises Refused if there is no setting at all."""
        original = read_if_there(CONFIG)
        if isinstance(original, Problem):
            raise Refused(original)
        text = _merge_settings(original, required=required)
        for field, value in values.items():
            edited = put(text, field, value)
            if isinstance(edited, Problem):
                raise Refused(edited)
            text = edited
        if text != original.text:
            rewrite(original, text, STATE)

    def write_gateway_files(self, user: User) -> None:
        """Write what the sample keeps of a gateway: its address, its credential provider, and a fresh token."""
        self.write_provider(user)
        self.write_uri(user)
        self.write_token(user)

    def write_provider(self, user: User) -> str:
        """Write the ARN of the credential provider and return it."""
        return self._write("gateway/.credentials_provider", _read_output("credential_provider", "provider_arn"), user)

    def write_uri(self, user: User) -> str:
        """Write the gateway's address as the sample does, without /mcp, and return it."""
        return self._write("gateway/.gateway_uri", read_outputs(REQUEST)["gateway_url"].value.rstrip("/").removesuffix("/mcp"), user)

    def describe_login(self) -> str:
        """Describe the user pool. No file is written: the other scripts would take the deployment's own pool for one of the user's."""
        values = {
            "User Pool ID": _read_output("user_pool", "user_pool_id"),
            "Client ID": _read_output("gateway_client", "client_id"),
            "Discovery URL": _read_output("user_pool", "discovery_url"),
        }
        return "\n".join((*(f"{name}: {value}" for name, value in values.items()), "The other scripts find them in the deployment."))

    def delete_written(self) -> None:
        """Delete the files that the scripts wrote."""
        for place in _GENERATED:
            (self.root / place).unlink(missing_ok=True)

    def write_runtime_arn(self, user: User) -> str:
        """Write the ARN of the assistant's runtime and return it."""
        return self._write("deployment/.agent_arn", _read_output("runtime", "runtime_arn"), user)

    def write_token(self, user: User) -> str:
        """Write a fresh access token for the gateway and return it."""
        return self._write("gateway/.access_token", read_gateway_token(REQUEST, user).reveal(), user)

    def connect_agent(self, uri: str, token: str) -> None:
        """Put the gateway's address and token where the sample's own agent reads them."""
        self._edit_agent_config(uri)
        line = f'GATEWAY_ACCESS_TOKEN="{token}"'
        self._edit_variables(line, created=f"# SRE Agent Environment Variables\n{line}\n")

    def disconnect_agent(self) -> None:
        """Put the placeholder in place of the gateway's address, and remove the token from both files."""
        self._edit_agent_config(PLACEHOLDER)
        self._edit_variables(_REMOVED)
        (self.root / "gateway/.access_token").unlink(missing_ok=True)

    def _edit_agent_config(self, uri: str) -> None:
        path = self.root / "sre_agent/config/agent_config.yaml"
        if path.is_file():
            edited = put(path.read_text(encoding="utf-8"), ("gateway", "uri"), uri)
            if isinstance(edited, Problem):
                raise Refused(edited)
            atomic_file.write(path, edited.encode())

    def _edit_variables(self, line: str, *, created: str = "") -> None:
        """Replace the line that sets the token. Without one, `line` is added only where `created` is given: the text of a missing file."""
        path = self.root / "sre_agent/.env"
        if not path.is_file():
            text = created
        else:
            lines = path.read_text(encoding="utf-8").splitlines()
            kept = [each for each in lines if not each.startswith(("GATEWAY_ACCESS_TOKEN=", _REMOVED))]
            text = "\n".join([*kept, *([line] if created or kept != lines else [])]) + "\n"
        if text:
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_file.write(path, text.encode(), mode=0o600)

    def _write(self, place: str, text: str, user: User) -> str:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_file.write(path, text.encode(), mode=0o600)
        user.note(f"Wrote {place}.")
        return text


def _merge_settings(original: Original, *, required: bool) -> str:
    """Merge the sample's files into config.yaml; where both have a value, the sample's file is the one that its user edits."""
    old = [read_old(path) for path in find_old_files(Path()) if path.name not in _WRITTEN]
    if faults := [each for each in old if isinstance(each, Problem)]:
        raise Refused(*faults)
    files = [_without_written(each) for each in old if not isinstance(each, Problem)]
    if original.body is None and not Path("gateway/config.yaml").is_file():
        if required:
            raise Refused(_no_settings())
        return _NEW
    existing = original.text if original.body is not None and is_ours(original.text) else None
    return migrate(files, existing, lambda _: "theirs").text


def _without_written(file: OldFile) -> OldFile:
    return replace(file, settings=tuple(setting for setting in file.settings if setting.name not in _WRITTEN))


def _read_output(resource: str, output: str) -> str:
    _, state = require_state(REQUEST, "output")
    record = state.current(resource)
    return str(record.outputs.get(output, "")) if record else ""


def no_memory() -> Problem:
    """Build the problem of a script whose function this assistant does not have."""
    return Problem(
        code="SAMPLE-NO-MEMORY",
        what="Nothing was stored: this assistant has no memory of users and their preferences.",
        why="The sample kept them in AgentCore Memory. Here each answer rests on what the systems show now, and cites it.",
        do=(
            "Leave this script out of your sequence of commands.",
            "What your team knows belongs in runbooks, which the assistant cites; earlier reports are in `sre-agent reports`.",
        ),
    )


def _no_settings() -> Problem:
    return Problem(
        code="SAMPLE-NO-SETTINGS",
        what="There is neither a gateway/config.yaml nor a config.yaml, so nothing says what to deploy.",
        why="This script reads the settings of the sample from the folder gateway/ beside it.",
        do=(
            "cp gateway/config.yaml.example gateway/config.yaml; cp gateway/.env.example gateway/.env; then fill them in.",
            "Or begin with a config.yaml of this tool: `sre-agent-deploy init`.",
        ),
    )


_POOL = 3  # https://cognito-idp.REGION.amazonaws.com/POOL/.well-known/openid-configuration


def name_resources(gateway_name: str, given: Mapping[str, str | bool | tuple[str, ...] | None]) -> dict[Field, str]:
    """Name the user's resources as config.yaml does. What the deployment has created is not the user's: it stays as it is."""
    state = find_state(REQUEST).state
    role, discovery, clients = (str(given[name] or "") for name in ("role_arn", "discovery_url", "allowed_clients"))
    provider = str(given["provider_arn"] or "")
    pool = discovery.split("/")[_POOL] if discovery.count("/") > _POOL else ""
    named: dict[Field, str] = {
        ("gateway", "gateway_name"): gateway_name,
        ("gateway", "description"): str(given["description_for_gateway"] or ""),
        ("gateway", "search"): {"SEMANTIC": "true", "NONE": "false"}.get(str(given["search_type"]), ""),
        ("aws", "role_name"): "" if _is_own(state, "gateway_role", role) else role,
        ("credentials", "user_pool_id"): "" if _is_own(state, "user_pool", pool) else pool,
        ("credentials", "client_id"): "" if _is_own(state, "gateway_client", clients) else clients.partition(",")[0],
        ("gateway", "provider_arn"): "" if _is_own(state, "credential_provider", provider) else provider,
    }
    if named["credentials", "client_id"]:
        named["credentials", "client_secret"] = "env:COGNITO_CLIENT_SECRET"
    return {field: value for field, value in named.items() if value}


def _is_own(state: State | None, resource: str, value: str) -> bool:
    """Say if the deployment has created the resource with this id or ARN."""
    record = state.current(resource) if state else None
    return record is not None and not record.named and value in (record.id, *map(str, record.outputs.values()))


def list_targets() -> tuple[str, ...]:
    """List the gateway's targets by their names in the plan."""
    return tuple(f"target_{service.name}" for service in release.backends())


def describe_gateway(*, as_json: bool) -> str:
    """Describe the gateway from the state, as JSON or in one line."""
    state = find_state(REQUEST).state
    record = state.current("gateway") if state else None
    outputs = dict(record.outputs) if record else {}
    return json.dumps(outputs, indent=2, default=str) if as_json else f"Gateway URL: {outputs.get('gateway_url', '')}"
