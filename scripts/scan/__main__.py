"""START HERE: `make scan` runs every scanner, compares what it finds with accepted.toml, and writes one report and the SBOM.

`python -m scripts.scan` ends with 0: each scanner ran, each finding is justified, and each justification is still needed; with 1: something
must be fixed or justified; with 2: nothing must be, but a scanner could not look, for example without a network.
`--without` leaves it out. make itself ends with 2 for both: the first line of the report is passed, FAILED or INCOMPLETE.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from scripts.scan import prowler, second_opinion, tools
from scripts.scan.findings import ACCEPTED, Judgement, Outcome, judge, read_accepted
from scripts.scan.report import render
from scripts.scan.subject import ROOT, deployed

HERE = Path(__file__).parent
OUT = ROOT / ".deploy/scan"
SCANNERS: dict[str, Callable[[Path, Path], Outcome]] = {
    "cfn-lint": tools.cfn_lint,
    "checkov": tools.checkov,
    "cloudsplaining": tools.cloudsplaining,
    "pip-audit": tools.pip_audit,
    "systemd-analyze": tools.systemd,
}
DEPLOYED = ("sslyze", "prowler", second_opinion.NAME)


def main() -> int:
    """Run the scanners and return the exit code."""
    options = read_options()
    if options.lock:
        return lock()
    wanted = [name for name in (*SCANNERS, *DEPLOYED) if name not in options.without and (not options.only or name in options.only)]
    bin = install("requirements")
    outcomes = [*scan_files(bin, wanted), *scan_deployment(bin, wanted)]
    judgement = judge(outcomes, read_accepted(ACCEPTED.read_text()))
    OUT.mkdir(parents=True, exist_ok=True)
    bill = write_sbom(OUT / "sbom.cdx.json")
    text = render(outcomes, judgement, bill, options.without)
    (OUT / "report.md").write_text(text)
    (OUT / "report.json").write_text(json.dumps(to_json(outcomes, judgement), indent=2) + "\n")
    print(f"{text}\nReport: {OUT / 'report.md'}")
    return 1 if bill else judgement.exit_code


def read_options() -> argparse.Namespace:
    names = (*SCANNERS, *DEPLOYED)
    parser = argparse.ArgumentParser(prog="make scan", description=__doc__)
    parser.add_argument("--without", action="append", default=[], choices=names, help="leave a scanner out; the report says so")
    parser.add_argument("--only", action="append", default=[], choices=names, help="only this scanner")
    parser.add_argument("--lock", action="store_true", help="renew the scanners' locks instead")
    return parser.parse_args()


def scan_files(bin: Path, wanted: list[str]) -> list[Outcome]:
    """Run the scanners that need files alone."""
    outcomes = []
    for name in (name for name in SCANNERS if name in wanted):
        print(f"{name} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory(prefix="sre-scan-") as folder:
            outcomes.append(SCANNERS[name](bin, Path(folder)))
    return outcomes


def scan_deployment(bin: Path, wanted: list[str]) -> list[Outcome]:
    """Deploy in local mode, and run the scanners that look at what answers there."""
    chosen = [name for name in DEPLOYED if name in wanted]
    if not chosen:
        return []
    print(f"a local deployment, then {', '.join(chosen)} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix="sre-scan-") as folder, deployed(Path(folder)) as local:
        looks = {
            "sslyze": lambda: tools.sslyze(bin, local),
            "prowler": lambda: prowler.scan(install("prowler"), local, Path(folder)),
            second_opinion.NAME: lambda: second_opinion.iam_simulate(bin, local, Path(folder)),
        }
        return [looks[name]() for name in chosen]


def install(lock: str) -> Path:
    """Install the scanners of a lock into an environment of their own, once; return its programs."""
    place = ROOT / ".tools/scan" / lock
    wanted = (HERE / f"{lock}.txt").read_text()
    done = place / "installed.txt"
    if not done.exists() or done.read_text() != wanted:
        uv = find_uv()
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(place)], check=True)
        words = ["--quiet", "--python", str(place / "bin/python"), "--require-hashes", "-r", str(HERE / f"{lock}.txt")]
        subprocess.run([uv, "pip", "install", *words], check=True)
        done.write_text(wanted)
    return place / "bin"


def lock() -> int:
    """Renew the locks from what they ask for."""
    for name in ("requirements", "prowler"):
        words = ["--python-version", "3.12", "--generate-hashes", "--no-annotate", "--no-header", "--upgrade", "--quiet"]
        subprocess.run([find_uv(), "pip", "compile", f"{HERE / name}.in", *words, "-o", f"{HERE / name}.txt"], check=True)
    return 0


def write_sbom(target: Path) -> str:
    """Write the CycloneDX bill of materials of what a machine installs, from uv.lock; return why not, or nothing."""
    extras = [word for extra in ("services", "agent", "machine", "traces") for word in ("--extra", extra)]
    words = ["export", "--quiet", "--frozen", "--format", "cyclonedx1.5", *extras, "--no-dev", "-o", str(target)]
    done = subprocess.run([find_uv(), *words], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stderr.strip() if done.returncode else ""


def find_uv() -> str:
    return subprocess.run([str(ROOT / "scripts/get-uv"), sys.executable], capture_output=True, text=True, check=True).stdout.strip()


def to_json(outcomes: list[Outcome], judgement: Judgement) -> dict[str, object]:
    return {
        "passed": judgement.passed,
        "exit_code": judgement.exit_code,
        "scanners": [{"tool": one.tool, "looked_at": one.looked_at, "not_run": one.not_run} for one in outcomes],
        "new": [vars(finding) for finding in judgement.new],
        "accepted": [{**vars(finding), "why": entry.why} for finding, entry in judgement.accepted],
        "outdated": [vars(entry) for entry in judgement.outdated],
    }


if __name__ == "__main__":
    sys.exit(main())
