"""Run each scanner and read its findings. One that could not look says so: that is no finding, and no pass either."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from scripts.scan import subject
from scripts.scan.findings import Finding, Outcome

# The least exposure that systemd rates is 0, the most 10. Services are rated below 2; the tasks that run as root are higher.
MOST_EXPOSED = 2.0


def run(command: list[str], cwd: Path | None = None, **changed: str) -> subprocess.CompletedProcess[str]:
    """Run a scanner to its end; most end with another code than 0 where they find something."""
    environ = {**os.environ, **changed}
    return subprocess.run(
        command, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=1800
    )


def cfn_lint(bin: Path, folder: Path) -> Outcome:
    """Lint the exported CloudFormation against AWS's schemas."""
    done = run([str(bin / "cfn-lint"), str(subject.write_template(folder)), "--format", "json"])
    found = json.loads(done.stdout or "[]")
    findings = [Finding("cfn-lint", one["Rule"]["Id"], "/".join(map(str, one["Location"]["Path"])), one["Message"]) for one in found]
    return Outcome("cfn-lint", tuple(findings), looked_at="the template of the production example with alarms")


def checkov(bin: Path, folder: Path) -> Outcome:
    """Judge the exported CloudFormation by checkov's rules."""
    template = subject.write_template(folder)
    words = ["-f", str(template), "--framework", "cloudformation", "--skip-download", "-o", "json", "--quiet", "--compact"]
    done = run([str(bin / "checkov"), *words])
    try:
        answer = json.loads(done.stdout)
    except ValueError:
        return Outcome("checkov", not_run=last_line(done))
    findings = [Finding("checkov", one["check_id"], one["resource"], one["check_name"]) for one in answer["results"]["failed_checks"]]
    return Outcome("checkov", tuple(findings), looked_at=f"{answer['summary']['resource_count']} resources of the template")


def cloudsplaining(bin: Path, folder: Path) -> Outcome:
    """Look for privilege escalation, exposure and wildcards in each policy. Its exit code is 0 in any case."""
    findings: list[Finding] = []
    policies = subject.write_policies(folder)
    for policy in policies:
        done = run([str(bin / "cloudsplaining"), "scan-policy-file", "-i", str(policy)])
        if done.returncode:
            return Outcome("cloudsplaining", not_run=f"{policy.name}: {last_line(done)}")
        findings += read_cloudsplaining(policy.stem, done.stdout)
    return Outcome("cloudsplaining", tuple(findings), looked_at=f"{len(policies)} policies: the deployer's and the roles'")


def read_cloudsplaining(policy: str, text: str) -> Iterable[Finding]:
    """Read what it printed of one policy."""
    name = re.sub(r"sre-[0-9a-f]{10}-", "", policy)
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    for kind in re.findall(r"^Potential Issue found: Policy is capable of (.+)$", plain, re.MULTILINE):
        yield Finding("cloudsplaining", kind.strip(), name, f"the policy is capable of {kind.strip()}")


def pip_audit(bin: Path, _folder: Path) -> Outcome:
    """Ask for known vulnerabilities of every locked dependency of a machine. A dependency that was not looked up is not audited."""
    locks = [str(subject.ROOT / "src/sre_agent_deploy/instance" / name) for name in ("requirements.txt", "installer.txt")]
    done = run([str(bin / "pip-audit"), "-r", locks[0], "-r", locks[1], "--disable-pip", "--require-hashes", "-f", "json"])
    try:
        asked = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return Outcome("pip-audit", not_run=last_line(done))
    if skipped := [one for one in asked if "skip_reason" in one]:
        why = f"{skipped[0]['name']}: {skipped[0]['skip_reason']}"
        return Outcome("pip-audit", not_run=f"no advisories could be read for {len(skipped)} of {len(asked)} dependencies ({why[:200]})")
    findings = [Finding("pip-audit", vuln["id"], one["name"], vuln.get("description", "")[:200]) for one in asked for vuln in one["vulns"]]
    return Outcome("pip-audit", tuple(findings), looked_at=f"{len(asked)} locked dependencies of a machine")


def systemd(_bin: Path, folder: Path) -> Outcome:
    """Rate what a service could do if it were taken over."""
    if not shutil.which("systemd-analyze"):
        return Outcome("systemd-analyze", not_run="systemd-analyze is not installed")
    findings, units = [], subject.write_units(folder)
    for unit in units:
        done = run(["systemd-analyze", "security", "--offline=true", "--no-pager", str(unit)])
        rated = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
        if not rated:
            return Outcome("systemd-analyze", not_run=f"{unit.name}: {last_line(done)}")
        if float(rated[1]) > MOST_EXPOSED:
            findings.append(Finding("systemd-analyze", "exposure", unit.name, f"above {MOST_EXPOSED} of 10"))
    return Outcome("systemd-analyze", tuple(findings), looked_at=f"{len(units)} units")


def sslyze(bin: Path, deployed: subject.Deployed) -> Outcome:
    """Compare the front door's and the gateway's TLS with Mozilla's intermediate configuration, certificate included."""
    places = {deployed.front_door: "front door", deployed.gateway: "gateway"}
    words = ["--mozilla_config=intermediate", "--certinfo", f"--certinfo_ca_file={deployed.ca_file}", *places]
    done = run([str(bin / "sslyze"), *words])
    judged = done.stdout.rpartition("COMPLIANCE AGAINST TLS CONFIGURATION")[2]
    if judged.count("Compliant.") + judged.count("FAILED") < len(places):
        return Outcome("sslyze", not_run=last_line(done))
    return Outcome("sslyze", tuple(read_sslyze(judged, places)), looked_at="front door and gateway of a local deployment")


def read_sslyze(judged: str, places: dict[str, str]) -> Iterable[Finding]:
    """Read the part of its output that compares with Mozilla's configuration."""
    place = ""
    for line in map(str.strip, judged.splitlines()):
        named = re.match(r"(\S+:\d+): FAILED", line)
        place = places[named[1]] if named else place
        if place and (rule := re.match(r"\* ([a-z_]+): (.+)", line)):
            yield Finding("sslyze", rule[1], place, rule[2])


def last_line(done: subprocess.CompletedProcess[Any]) -> str:
    lines = [line.strip() for line in f"{done.stdout}\n{done.stderr}".splitlines() if line.strip()]
    return (lines[-1] if lines else f"exit code {done.returncode}")[:300]
