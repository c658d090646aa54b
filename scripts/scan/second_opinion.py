"""Compare the local AWS's decisions on IAM policies with those of another implementation, npm's @cloud-copilot/iam-simulate."""

from __future__ import annotations

import json
import shutil
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

from scripts.scan import real_policies, subject
from scripts.scan.findings import Finding, Outcome
from scripts.scan.policy_cases import USER, Case, list_standing, make_case

from embedded_aws.authorization.authorize import find_denial
from embedded_aws.authorization.demand import Demand
from embedded_aws.authorization.state import BOUNDARY, Identity

HERE = Path(__file__).with_name("iam_simulate")
TABLE = subject.ROOT / "tests/embedded_aws/policy_cases.toml"
NAME, SEED, PAIRS = "iam-simulate", 1, 4000
_SUBJECT = ("s3:GetObject", "arn:aws:s3:::reports/2026/ann/a.json")


def iam_simulate(bin: Path, deployed: subject.Deployed, folder: Path) -> Outcome:
    """Let both decide on a deployment's own policies, on what is made up over the grammar of IAM, and on the cases of the table."""
    if failed := install_simulator(bin):
        return Outcome(NAME, not_run=failed)
    random, rows = Random(SEED), list(read_rows())  # noqa: S311  # The same cases each time.
    cases = {f"made up/{index}": make_case(random) for index in range(PAIRS)} | {f"table/{name}": case for name, case, _ in rows}
    cases |= (real := {f"real/{name}": case for name, case in real_policies.list_cases(deployed, folder)})
    expected = {f"table/{name}": row.get(NAME, row["expected"]) for name, _, row in rows}
    pairs = zip(cases.items(), ask_simulator(bin, list(cases.values())), strict=True)
    # It knows for most actions which resources and keys they have, and answers nothing else of a real policy.
    answered = [(where, case, theirs) for (where, case), theirs in pairs if where not in real or theirs != "refused"]
    decided = [(where, case, theirs, expected.get(where) or decide(case)) for where, case, theirs in answered]
    findings = [
        Finding(NAME, "decision", where, f"{theirs}, and here {ours}: {json.dumps(asdict(case))}")
        for where, case, theirs, ours in decided
        if theirs != ours
    ]
    counts = Counter(theirs == "Allowed" for where, _, theirs, _ in decided if where in real)
    of_real = f"{counts[True]} requests that a deployment's policies allow, {counts[False]} that they do not"
    return Outcome(NAME, tuple(findings), looked_at=f"{of_real}, {PAIRS} made up policies with a request each, and {len(rows)} by hand")


def install_simulator(bin: Path) -> str:
    """Install it by its lock, once; return why not, or nothing. Its packages run no scripts."""
    place = simulator_place()
    place.mkdir(parents=True, exist_ok=True)
    lock = (HERE / "package-lock.json").read_text()
    shutil.copy(HERE / "decide.mjs", place)
    if (place / "installed.json").exists() and (place / "installed.json").read_text() == lock:
        return ""
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, place)
    words = [str(bin / "npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(words, cwd=place, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=600)
    if done.returncode:
        return (done.stderr.strip().splitlines() or ["npm ci failed"])[-1][:300]
    (place / "installed.json").write_text(lock)
    return ""


def simulator_place() -> Path:
    return subject.ROOT / ".tools/scan/iam-simulate"


def ask_simulator(bin: Path, cases: Sequence[Case]) -> list[str]:
    """Return its decision of each case; `refused` where its validation has no answer."""
    asked = json.dumps([asdict(case) for case in cases])
    words = [str(bin / "node"), "decide.mjs"]
    done = subprocess.run(words, cwd=simulator_place(), input=asked, capture_output=True, text=True, check=True, timeout=600)
    return [str(answer).partition(":")[0] for answer in json.loads(done.stdout)]


def decide(case: Case) -> str:
    """Return the local AWS's own decision, in the simulator's words."""
    limits = {BOUNDARY: tuple(case.boundary)} if case.boundary is not None else {}
    # The local AWS adds the keys that each request has.
    added = list_standing(case.principal)
    keys = {key: tuple(value) if isinstance(value, list) else value for key, value in case.keys.items() if key not in added}
    identity = Identity(case.principal, tuple(case.identity), limits, str(case.keys["aws:PrincipalArn"]))
    denial = find_denial(identity, Demand(case.action, case.resource, keys), case.resource_policy)
    return "Allowed" if denial is None else "ExplicitlyDenied" if "explicit deny" in denial.message else "ImplicitlyDenied"


def read_rows() -> Iterator[tuple[str, Case, Mapping[str, Any]]]:
    """Read the table."""
    for row in tomllib.loads(TABLE.read_text())["case"]:
        policies = {part: tuple(_write_policy(row[part])) if part in row else None for part in ("identity", "boundary", "resource_policy")}
        principal = row.get("principal", USER)
        keys = list_standing(principal) | ({"aws:PrincipalArn": row["role"]} if "role" in row else {}) | row.get("keys", {})
        of_resource = policies["resource_policy"]
        yield (
            row["name"],
            Case(principal, *_SUBJECT, policies["identity"] or (), policies["boundary"], of_resource and of_resource[0], keys),
            row,
        )


def _write_policy(statements: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """Write the policy of a row, with what its statements leave out; none where there is no statement."""
    filled = [
        {"Effect": "Allow"} | ({} if "NotAction" in each else {"Action": "*"}) | ({} if "NotResource" in each else {"Resource": "*"}) | each
        for each in statements
    ]
    if filled:
        yield {"Version": "2012-10-17", "Statement": filled}
