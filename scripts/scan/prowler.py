"""Run prowler against the local AWS, and read what it objects to in the deployment's own resources."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scripts.scan import tools
from scripts.scan.findings import Finding, Outcome
from scripts.scan.subject import Deployed

SERVICES = ("s3", "iam", "secretsmanager", "cognito", "sns", "cloudwatch", "ec2")
# prowler's own code for a scan that found something.
FOUND = 3


def scan(bin: Path, deployed: Deployed, folder: Path) -> Outcome:
    """Look at the services that a deployment uses. What the account itself lacks, such as MFA of its root, is not the deployment's."""
    registry, out = deployed.registry, folder / "prowler"
    environ = {
        "AWS_ENDPOINT_URL": registry["endpoint"],
        "AWS_CA_BUNDLE": registry["ca_file"],
        "AWS_ACCESS_KEY_ID": registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": registry["secret_access_key"],
        "AWS_DEFAULT_REGION": registry["region"],
    }
    words = [
        "aws",
        "--region",
        registry["region"],
        "--services",
        *SERVICES,
        "--output-formats",
        "json-ocsf",
        "--output-directory",
        str(out),
    ]
    done = tools.run([str(bin / "prowler"), *words, "--no-banner"], **environ)
    reports = sorted(out.glob("*.ocsf.json"))
    if done.returncode not in (0, FOUND) or not reports:
        return Outcome("prowler", not_run=tools.last_line(done))
    shown = [one for report in reports for one in json.loads(report.read_text())]
    ours = [one for one in shown if _is_of(one, deployed.deployment)]
    if not ours:
        return Outcome("prowler", not_run="it has seen no resource of the deployment")
    findings = {_read(one, deployed.deployment) for one in ours if one["status_code"] == "FAIL"}
    return Outcome("prowler", tuple(sorted(findings)), looked_at=f"{len(ours)} checks of the deployment's resources in the local AWS")


def _is_of(shown: dict[str, Any], deployment: str) -> bool:
    return any(deployment in json.dumps(resource) for resource in shown["resources"])


def _read(shown: dict[str, Any], deployment: str) -> Finding:
    name = shown["resources"][0]["name"].replace(deployment, "ID")
    return Finding(
        "prowler", shown["metadata"]["event_code"], f"{shown['resources'][0]['group']['name']}/{name}", shown["finding_info"]["title"]
    )
