"""START HERE: `make test-instance` deploys in production mode, boots the machine for real, and prints each check's outcome."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

from behaviours import certificates
from behaviours.command_line import ROOT, Desk
from booted import image
from booted.archive import archive_of_debian
from booted.authority import Authority, PublicDns
from booted.machine import open_door
from booted.outcomes import Outcomes
from booted.trials import Trials, count_checks, run_deployer
from fixtures import preloaded
from fixtures.pebble import pebble, renewal_info
from sre_core import clock
from sre_core.problem import Problem

DOMAIN = "sre.example.com"
# What boots a machine, and the Debian package that has it.
PROGRAMS = {"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "ip": "iproute2", "mount": "mount", "pebble": "pebble"}
_STARTED = time.monotonic()


def main() -> int:
    """Run everything in its order; 0 if each check passed."""
    if problem := find_obstacle():
        print(problem, file=sys.stderr)
        return 2
    say("look for the image")
    root = image.find_or_build()
    say(f"the image is {root}")
    wheels = image.find_or_download_wheels()
    desk = Desk(Path(tempfile.mkdtemp(prefix="sre-instance-")))
    try:
        return check_deployment(desk, root, wheels)
    finally:
        desk.close()
        preloaded.end()
        shutil.rmtree(desk.folder, ignore_errors=True)


def find_obstacle() -> Problem | None:
    """Say what this computer lacks to boot a machine."""
    absent = {package for program, package in PROGRAMS.items() if not shutil.which(program)}
    if not sys.platform.startswith("linux") or os.geteuid():
        why = "It needs Linux and root: a machine has a network namespace and a disk of its own."
    elif absent:
        why = f"These Debian packages are not installed: {', '.join(sorted(absent))}."
    else:
        return None
    return Problem(
        code="TEST-INSTANCE-IMPOSSIBLE",
        what="No machine was booted, so nothing is known about it.",
        why=why,
        do=("Run `make test-instance` as root on Debian or Ubuntu with these packages: " + ", ".join(sorted(PROGRAMS.values())),),
    )


def check_deployment(desk: Desk, root: Path, wheels: Path) -> int:
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
        driver = shlex.join(("env", environment, sys.executable, "-m", "booted.driver", str(root), *authority.ports, str(archive)))
        desk.start_aws("--boot-with", driver)
        say("AWS is up")
        settings = prepared(desk) | {"SRE_AGENT__DEPLOYMENT__LIBRARIES": str(wheels)}
        zone.look_in(desk.client("route53"), settings["SRE_AGENT__DEPLOYMENT__HOSTED_ZONE_ID"])
        return try_everything(desk, settings, authority, archive)


def try_everything(desk: Desk, settings: dict[str, str], authority: Authority, archive: int) -> int:
    """Print the outcome of each promise, and all of them again at the end; 0 if every one was kept."""
    outcomes = Outcomes()
    with outcomes.promise("a new deployment is verified", within=1200) as timed:
        deployed = run_deployer(desk, "--config", "config.yaml", "--mode", "production", **settings)
        print(deployed.text)
        timed.facts = count_checks(deployed)
    if not outcomes.broken:
        Trials(desk, open_door(desk, DOMAIN, desk.folder / "ca.pem"), settings, outcomes, DOMAIN, authority, archive).run(sys.argv[1:])
    show_machines(desk, outcomes)
    say("the outcomes")
    print(*outcomes.lines, sep="\n")
    return 1 if outcomes.broken else 0


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
        # An update waits for twice this time until nobody asks for the machine before.
        "SRE_AGENT__DEPLOYMENT__DNS_TTL": "1",
    }


def say(what: str) -> None:
    """Print a line with the seconds since the start."""
    print(f"{time.monotonic() - _STARTED:6.1f} s  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
