"""START HERE: `make test-instance` deploys in production mode, boots the machine for real, and prints each check's outcome."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from behaviours import certificates
from behaviours.command_line import ROOT, Desk
from booted import alarms, image, trials, updates, vm
from booted.archive import archive_of_debian
from booted.authority import Authority, PublicDns
from booted.deployed import Deployed, count_checks, run_deployer
from booted.machine import open_door
from booted.outcomes import Outcomes
from booted.trials import BACKUPS_AT
from fixtures import preloaded
from fixtures.pebble import pebble, renewal_info
from sre_core import clock
from sre_core.problem import Problem

DOMAIN = "sre.example.com"
# What boots a machine, and the Debian package that has it.
PROGRAMS = {"mmdebstrap": "mmdebstrap", "ip": "iproute2", "mount": "mount", "mke2fs": "e2fsprogs", "pebble": "pebble"}
PROGRAMS_OF = {
    "nspawn": {"systemd-nspawn": "systemd-container"},
    "qemu": {vm.PROGRAM: "qemu-system-x86", "debugfs": "e2fsprogs"},
}
TRIALS = {trial.__name__: trial for trial in (*trials.TRIALS, *updates.TRIALS, *alarms.TRIALS)}
_STARTED = time.monotonic()


def main() -> int:
    """Run everything in its order; 0 if each check passed."""
    parser = argparse.ArgumentParser(prog="booted", description=__doc__)
    parser.add_argument("--vm", choices=PROGRAMS_OF, default="nspawn", help="qemu: with a kernel of its own")
    parser.add_argument(
        "trials", nargs="*", choices=[*TRIALS, []], metavar="TRIAL", help="what to try after the first deployment; nothing: everything"
    )
    chosen = parser.parse_args()
    if problem := find_obstacle(PROGRAMS | PROGRAMS_OF[chosen.vm]):
        print(problem, file=sys.stderr)
        return 2
    say("look for the image")
    root = image.find_or_build(vm=chosen.vm == "qemu")
    say(f"the image is {root}")
    wheels = image.find_or_download_wheels()
    desk = Desk(Path(tempfile.mkdtemp(prefix="sre-instance-")))
    try:
        return check_deployment(desk, (chosen.vm, str(root)), wheels, chosen.trials)
    finally:
        desk.close()
        preloaded.end()
        shutil.rmtree(desk.folder, ignore_errors=True)


def find_obstacle(programs: Mapping[str, str]) -> Problem | None:
    """Say what this computer lacks to boot a machine."""
    absent = {package for program, package in programs.items() if not shutil.which(program)}
    if not sys.platform.startswith("linux") or os.geteuid():
        why = "It needs Linux and root: a machine has a network namespace and a disk of its own."
    elif absent:
        why = f"These Debian packages are not installed: {', '.join(sorted(absent))}."
    elif not Path("/dev/loop-control").exists():
        why = "It has no loop devices: a machine has a file system of its own on one."
    else:
        return None
    return Problem(
        code="TEST-INSTANCE-IMPOSSIBLE",
        what="No machine was booted, so nothing is known about it.",
        why=why,
        do=("Run `make test-instance` as root on Debian or Ubuntu with these packages: " + ", ".join(sorted({*programs.values()})),),
    )


def check_deployment(desk: Desk, booted: tuple[str, str], wheels: Path, names: Sequence[str]) -> int:
    """Deploy and verify with a machine that boots, then try what it must survive; 0 if every promise was kept.

    The release brings its libraries along, so that the machine needs no index.
    """
    zone, folder = PublicDns(), desk.folder / "pebble"
    with (
        pebble(folder, zone.read, http_port=80) as root_of,
        renewal_info(root_of, folder, clock.now() + timedelta(days=30)) as info,
        archive_of_debian() as archive,
    ):
        authority = Authority(root_of, info)
        environment = f"PYTHONPATH={ROOT / 'tests'}"
        driver = shlex.join(("env", environment, sys.executable, "-m", "booted.driver", *booted, *authority.ports, str(archive)))
        desk.start_aws("--boot-with", driver, "--bedrock-script", str(desk.folder / alarms.MODEL_SCRIPT))
        say("AWS is up")
        emulated = booted[0] == "qemu" and vm.is_emulated()
        settings = prepared(desk) | {"SRE_AGENT__DEPLOYMENT__LIBRARIES": str(wheels)}
        settings |= {"SRE_AGENT__RETRIES__READY": "2h"} if emulated else {}
        zone.look_in(desk.client("route53"), settings["SRE_AGENT__DEPLOYMENT__HOSTED_ZONE_ID"])
        outcomes = Outcomes(judges_times=not emulated)
        try_everything(desk, settings, authority, archive, names, outcomes)
        return 1 if outcomes.broken else 0


def try_everything(
    desk: Desk, settings: dict[str, str], authority: Authority, archive: int, names: Sequence[str], outcomes: Outcomes
) -> None:
    """Print the outcome of each promise, and all of them again at the end."""
    with outcomes.promise("a new deployment is verified", within=1200) as timed:
        deployed = run_deployer(desk, "--config", "config.yaml", "--mode", "production", **settings)
        print(deployed.text)
        timed.facts = count_checks(deployed)
    if not outcomes.broken:
        deployment = Deployed(desk, open_door(desk, DOMAIN, desk.folder / "ca.pem"), settings, outcomes, DOMAIN, authority, archive)
        # Each trial leaves one machine, which works.
        for trial in (trial for name, trial in TRIALS.items() if name in names or not names):
            trial(deployment, deployment.machine())
    show_machines(desk, outcomes)
    say("the outcomes")
    print(*outcomes.lines, sep="\n")


def show_machines(desk: Desk, outcomes: Outcomes) -> None:
    """Show what the machines printed, where something failed."""
    for console in desk.state_dir.glob("start-*/instances/*/console.log") if outcomes.broken else ():
        print(f"The console of {console.parent.name}:", *console.read_text(errors="replace").splitlines()[-60:], sep="\n")


def prepared(desk: Desk) -> dict[str, str]:
    """Prepare the production example as a user does; return the environment that they would export."""
    certificates.written(desk.folder, DOMAIN)
    shutil.copy(ROOT / "examples" / "production.yaml", desk.folder / "config.yaml")
    registry = desk.registry()
    zone = desk.client("route53").create_hosted_zone(Name="example.com", CallerReference="test")["HostedZone"]["Id"].rpartition("/")[2]
    return {
        "AWS_ENDPOINT_URL": registry["endpoint"],
        "AWS_CA_BUNDLE": registry["ca_file"],
        "AWS_ACCESS_KEY_ID": registry["access_key_id"],
        "AWS_SECRET_ACCESS_KEY": registry["secret_access_key"],
        "AWS_ACCOUNT_ID": registry["account_id"],
        "SRE_DOMAIN_NAME": DOMAIN,
        "SRE_SSL_CERT_PATH": str(desk.folder / "fullchain.pem"),
        "SRE_SSL_KEY_PATH": str(desk.folder / "privkey.pem"),
        "SRE_SSL_CA_PATH": str(desk.folder / "ca.pem"),
        "SRE_AGENT__DEPLOYMENT__HOSTED_ZONE_ID": zone,
        # An update waits for twice this time until no client uses the old machine; an answer may take ten seconds.
        "SRE_AGENT__DEPLOYMENT__DNS_TTL": "6",
        "SRE_AGENT__BACKUPS__AT": BACKUPS_AT,
    }


def say(what: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.monotonic() - _STARTED:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
