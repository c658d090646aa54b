"""Keep the front door's certificate and the services' credentials current, and warn before the certificate expires. It runs as root.

`follow` is a service: what Secrets Manager has is used within half a minute. `watch` runs from a timer. The credentials are files.
"""

from __future__ import annotations

import json
import os
import pwd
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import datetime
from functools import cache, partial
from pathlib import Path

from cryptography.hazmat.primitives import hashes

from sre_agent_deploy.instance import USER, Layout
from sre_agent_deploy.instance.aws import MachineAws
from sre_agent_deploy.instance.steps import StepFailed, run
from sre_agent_deploy.instance.systemd import CERTIFICATE_ORDER
from sre_agent_deploy.tls import expiry
from sre_agent_deploy.tls.chain import Chain
from sre_core import atomic_file, clock, log, metrics
from sre_core.machine import FrontDoor, Machine, SecretRef

LOOK_EVERY = 30.0
# A call that fails is made again with the next look.
_NO_WAITS: tuple[float, ...] = ()

type Reload = Callable[[], object]


def follow(
    aws: MachineAws,
    door: FrontDoor,
    layout: Layout,
    reload: Reload,
    pause: Callable[[float], object] = time.sleep,
    *,
    changed: Callable[[], object] = lambda: None,
    credentials: Callable[[], tuple[str, ...]] = tuple,
) -> None:
    """Serve what Secrets Manager has, forever. What it can't be done with is logged, and the certificate before is served on.

    It begins with a reload: the service before may have ended between the files and nginx. `changed` is called when the secret has
    another text, and at the first look. `credentials` writes those of the services that have changed, and names them.
    """
    events, seen = log.get(), ""

    def look() -> bool:
        nonlocal seen
        text = aws.read_secret(door.certificate.secret_arn)
        if text != seen:
            seen = text
            changed()
        return serve(text, layout, reload)

    attempt: Callable[[], object] = reload
    while True:
        try:
            if written := credentials():
                events.warning("credentials.changed", files=written)
        except StepFailed as failed:
            events.error("credentials.not_taken", because=failed.what, output=failed.output)
        try:
            if attempt():
                events.warning("certificate.changed", not_after=clock.stamp(_read_chain(layout).not_after))
        except StepFailed as failed:
            events.error("certificate.not_taken", because=failed.what, output=failed.output)
        attempt = look
        pause(LOOK_EVERY)


def serve(text: str, layout: Layout, reload: Reload) -> bool:
    """Serve the certificate in the text of the secret; True if it is another one than before.

    Raises StepFailed, with the former one in place, if no server could use it.
    """
    pair = _parse_pair(text)
    before = tuple(file.read_text(encoding="ascii") for file in (layout.certificate, layout.key))
    if pair == before:
        return False
    _check_pair(pair, layout)
    _write_pair(pair, layout)
    try:
        reload()
    except StepFailed:
        _write_pair(before, layout)
        raise
    return True


def _parse_pair(text: str) -> tuple[str, ...]:
    try:
        parts = json.loads(text)
        return str(parts["certificate"]), str(parts["private_key"])
    except (ValueError, KeyError, TypeError) as unusable:
        raise StepFailed("The secret of the certificate does not have the texts certificate and private_key.") from unusable


def _check_pair(pair: tuple[str, ...], layout: Layout) -> None:
    """Load chain and key as a server does. Raises StepFailed where they do not belong together, or the chain has ended."""
    file = layout.certificate.with_name("candidate.pem")
    atomic_file.write(file, "\n".join(pair).encode(), mode=0o600)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(file)
        ended = Chain.parse(pair[0]).not_after <= clock.now()
    except (ssl.SSLError, ValueError) as unusable:
        raise StepFailed("The new certificate and its key are no usable pair of PEM texts.", str(unusable)) from unusable
    finally:
        file.unlink(missing_ok=True)
    if ended:
        raise StepFailed("The new certificate has expired already.")


def _write_pair(pair: tuple[str, ...], layout: Layout) -> None:
    for file, text in zip((layout.certificate, layout.key), pair, strict=True):
        atomic_file.write(file, text.encode(), mode=0o600)


def reload_nginx() -> None:
    """Let nginx load its files again; open connections end in their own time. Raises StepFailed if it refuses them."""
    run("nginx", "-t")
    # Where nginx has ended, because it was started with half a pair, it starts.
    run("systemctl", "reload-or-restart", "nginx")


def start_order() -> None:
    """Let the machine look if an order is asked of it or due."""
    run("systemctl", "start", "--no-block", CERTIFICATE_ORDER)


def watch(aws: MachineAws, machine: Machine, layout: Layout, now: datetime) -> bool:
    """Write the days that are left as a metric, and a warning that is due as an event; True if one was. Each is due once a day."""
    chain, door, events = _read_chain(layout), machine.front_door, log.get(domain=machine.front_door.domain)
    try:
        aws.put_metric(metrics.namespace(machine.deployment_id), metrics.CERTIFICATE_DAYS, expiry.days_left(chain.not_after, now))
    except StepFailed as refused:
        events.error("certificate.metric_refused", because=refused.output)
    fingerprint, begins = chain.leaf.fingerprint(hashes.SHA256()).hex(), chain.leaf.not_valid_before_utc
    due, warned = expiry.choose_warning(fingerprint, begins, chain.not_after, now, _read_warned(layout))
    if not due:
        return False
    problem = expiry.judge_expiry(door.domain, begins, chain.not_after, now, expiry.parse_source(door.certificate_source))
    if problem is None:
        return False
    events.warning("certificate.expires", code=problem.code, what=problem.what, do=problem.do, **problem.context)
    atomic_file.write(layout.warned, json.dumps(asdict(warned)).encode(), mode=0o600)
    return True


def _read_chain(layout: Layout) -> Chain:
    return Chain.parse(layout.certificate.read_text(encoding="ascii"))


def _read_warned(layout: Layout) -> expiry.Warned:
    """Read which warnings were given; none where the file is absent or damaged: one too many is better than none."""
    try:
        return expiry.Warned(**json.loads(layout.warned.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return expiry.Warned()


def main(task: str, machine_file: str, release: str) -> int:
    """Run `follow` or `watch`."""
    machine = Machine.parse(Path(machine_file).read_text(encoding="utf-8"))
    aws, layout = MachineAws(machine.region, _NO_WAITS), Layout(Path(release))
    if task == "watch":
        watch(aws, machine, layout, clock.now())
    else:
        ordered = machine.front_door.certificate_source == "letsencrypt"
        follow(
            aws,
            machine.front_door,
            layout,
            reload_nginx,
            changed=start_order if ordered else lambda: None,
            credentials=partial(keep_credentials, aws, machine, layout),
        )
    return 0


def write_credentials(aws: MachineAws, machine: Machine, layout: Layout) -> tuple[str, ...]:
    """Write every credential as a file that only the services' user reads; return the values that no output may show."""
    texts = _read_texts(aws, machine, layout)
    for file, text in texts.items():
        _write_owned(file, text)
    return tuple(line for text in texts.values() for line in text.splitlines())


def keep_credentials(aws: MachineAws, machine: Machine, layout: Layout) -> tuple[str, ...]:
    """Write the credentials of which Secrets Manager has another value now; return the names of their files.

    Raises StepFailed where a secret can't be read: what the services have stays as it is.
    """
    texts = _read_texts(aws, machine, layout)
    changed = [file for file, text in texts.items() if file.read_text(encoding="utf-8") != text]
    for file in changed:
        _write_owned(file, texts[file])
    return tuple(f"{file.parent.name}/{file.name}" for file in changed)


def _read_texts(aws: MachineAws, machine: Machine, layout: Layout) -> dict[Path, str]:
    """Read the text of each file. Each secret is asked for once: AWS charges for every call, and the backends share one key."""
    files = dict(_list_files(machine, layout))
    texts = {reference: aws.secret(reference) for reference in set(files.values())}
    return {file: texts[reference] for file, reference in files.items()}


def _list_files(machine: Machine, layout: Layout) -> Iterator[tuple[Path, SecretRef]]:
    for service in machine.services:
        yield from ((layout.credential(service.name, name), reference) for name, reference in service.credentials.items())


def _write_owned(file: Path, text: str) -> None:
    owner = _find_owner()
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if owner:
        os.chown(file.parent, *owner)
    atomic_file.write(file, text.encode(), mode=0o400, owner=owner)


@cache
def _find_owner() -> tuple[int, int] | None:
    """Return the services' user and group; None where there is no such user, as on the machine of a developer."""
    try:
        found = pwd.getpwnam(USER)
    except KeyError:
        return None
    return found.pw_uid, found.pw_gid


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:4]))
