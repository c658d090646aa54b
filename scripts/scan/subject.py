"""What is scanned: the template and policies of the production example, the units of a machine, and a local deployment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sre_agent_deploy.instance import Layout
from sre_agent_deploy.instance.systemd import (
    render_backup_units,
    render_certificate_units,
    render_order_units,
    render_unit,
    render_update_units,
    unit_name,
)
from sre_core import release
from sre_core.machine import MachineService

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/production.yaml"
# With alarms, a trail, traces and backups, so that everything that a deployment may have is looked at.
ENVIRONMENT = {
    "AWS_ACCOUNT_ID": "123456789012",
    "SRE_AGENT__ALERTS__EMAIL": "team@example.com",
    "SRE_AGENT__MONITORING__CLOUDTRAIL": "true",
    "SRE_AGENT__MONITORING__TRACES": "xray",
    "SRE_AGENT__BACKUPS__AT": "02:30",
    "SRE_AGENT__BACKUPS__BUCKET": "sre-backups-123456789012",
}
PRODUCTION = ("--config", str(EXAMPLE), "--mode", "production")
MONITORING = {"enabled": "always", "cloudtrail": True, "traces": "xray"}
LOCAL = {"version": 1, "mode": "local", "name": "scan", "monitoring": MONITORING, "alerts": {"email": "team@example.com"}}


def deployer(*words: str, cwd: Path = ROOT, **changed: str) -> str:
    """Run `sre-agent-deploy`; return what it printed. Raises SystemExit where it fails."""
    command = [sys.executable, "-m", "sre_agent_deploy", *words]
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **changed}, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


def write_template(folder: Path) -> Path:
    """Write the CloudFormation template of the production example."""
    file = folder / "template.json"
    file.write_text(deployer("export", "cloudformation", *PRODUCTION, **ENVIRONMENT))
    return file


def write_policies(folder: Path) -> list[Path]:
    """Write each policy: those of the identity that deploys, and those of the roles that a deployment creates."""
    policies = folder / "policies"
    deployer("iam-policy", *PRODUCTION, "--out", str(policies), **ENVIRONMENT)
    template = json.loads(write_template(folder).read_text())
    for name, resource in template["Resources"].items():
        for policy in resource["Properties"].get("Policies", ()) if resource["Type"] == "AWS::IAM::Role" else ():
            (policies / f"{name}.json").write_text(json.dumps(_without_intrinsics(policy["PolicyDocument"])))
    return sorted(policies.glob("*.json"))


def write_units(folder: Path) -> list[Path]:
    """Write the systemd units of a machine."""
    units = folder / "units"
    units.mkdir()
    layout = Layout(Path("/opt/sre-agent/releases/abc"))
    python = str(layout.python)
    texts = {
        unit_name(service.name): render_unit(
            MachineService(service.name, (python, "-m", "sre_services", service.name), {}, {}, "/health"), layout, "us-east-1"
        )
        for service in release.backends()
    }
    texts |= render_certificate_units(layout, "us-east-1", "/etc/sre-agent/machine.json")
    texts |= render_order_units(layout, "us-east-1", "/etc/sre-agent/machine.json", "i-0123456789abcdef0")
    texts |= render_update_units(layout, "us-east-1", "/etc/sre-agent/machine.json", "i-0123456789abcdef0", None)
    texts |= render_backup_units(layout, "us-east-1", "/etc/sre-agent/machine.json", "i-0123456789abcdef0", "02:30")
    for name, text in texts.items():
        (units / name).write_text(text)
    return sorted(units.glob("*.service"))


@dataclass(frozen=True)
class Deployed:
    """A local deployment, and how its doors and its AWS are reached."""

    deployment: str
    registry: dict[str, Any]
    front_door: str
    gateway: str
    ca_file: str


@contextmanager
def deployed(folder: Path) -> Iterator[Deployed]:
    """Deploy in local mode while the block runs."""
    state = folder / "state"
    (folder / "config.yaml").write_text(json.dumps(LOCAL))
    environ = {"SRE_AGENT_STATE_DIR": str(state)}
    try:
        deployer("deploy", "--yes", cwd=folder, **environ)
        shown = json.loads(deployer("output", "--json", cwd=folder, **environ))
        outputs = {name: output.get("value") for name, output in shown.items()}
        connection = json.loads(Path(outputs["connection_file"]).read_text())
        registry = json.loads((state / "embedded-aws.json").read_text())
        yield Deployed(
            outputs["deployment_id"], registry, _place(outputs["assistant_url"]), _place(outputs["gateway_url"]), connection["ca_file"]
        )
    finally:
        subprocess.run([sys.executable, "-m", "embedded_aws", "stop", "--state-dir", str(state)], capture_output=True, check=False)


def _place(url: str) -> str:
    """Return host and port of an address."""
    host = url.removeprefix("https://").partition("/")[0]
    return host if ":" in host else f"{host}:443"


def _without_intrinsics(value: Any) -> Any:
    """Replace CloudFormation's functions by a text that is no wildcard, so that scanners of policies can read the rest."""
    if isinstance(value, dict):
        if len(value) == 1 and (key := next(iter(value))).startswith(("Fn::", "Ref")):
            return _filled(value[key])
        return {key: _without_intrinsics(part) for key, part in value.items()}
    return [_without_intrinsics(part) for part in value] if isinstance(value, list) else value


def _filled(argument: Any) -> str:
    """Return a text for what a function would give; of Fn::Sub its text, so that a wildcard in it stays one."""
    text = argument[0] if isinstance(argument, list) and argument and isinstance(argument[0], str) else argument
    return text if isinstance(text, str) and text.startswith("arn:") else "arn:aws:s3:::filled-in"
