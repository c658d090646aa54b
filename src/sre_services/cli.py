"""The command line: serve one API, or generate its OpenAPI documents and the recordings."""

from __future__ import annotations

import argparse
import gc
import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from importlib import import_module
from pathlib import Path

from sre_core import clock, log, release
from sre_core.problem import Problem, Refused

SERVICES = tuple(service.name for service in release.backends())
EXIT_PROBLEM = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; a Problem is rendered on stderr and ends with 2."""
    arguments = _parser().parse_args(argv)
    try:
        return int(arguments.run(arguments))
    except Refused as refused:
        print(*refused.problems, sep="\n\n", file=sys.stderr)
        return EXIT_PROBLEM


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sre_services", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name in SERVICES:
        service = commands.add_parser(name, help=f"serve the {name} API on a Unix socket")
        service.add_argument("--socket", type=Path, required=True, help="path of the Unix socket")
        service.set_defaults(run=_serve, service=name)
    for name, run, what in (("openapi", _openapi, "the OpenAPI documents"), ("recordings", _recordings, "the recordings that ship")):
        generator = commands.add_parser(name, help=f"write {what}")
        generator.add_argument("--check", action="store_true", help="write nothing; exit 1 if the committed files differ")
        generator.set_defaults(run=run)
    return parser


def _serve(arguments: argparse.Namespace) -> int:
    # What a start makes stays for good: looking for garbage in it costs a sixth of the start.
    gc.disable()
    from sre_services import application, credentials, serving

    name = arguments.service
    key = _unless_problem(credentials.read_credential(credentials.API_KEY, os.environ))
    app = application.build_app(application.Api.of(name), open_provider(name, os.environ), key)
    gc.freeze()
    gc.enable()
    log.get(service=name).info("service.started", socket=str(arguments.socket))
    serving.serve(app, arguments.socket)
    return 0


def open_provider(service: str, environment: Mapping[str, str]) -> object:
    """What answers for `service`: a recording, so far. Raises Refused when it can't be had."""
    kind = environment.get("SRE_PROVIDER", "recorded")
    if kind != "recorded":
        raise Refused(_unknown_provider(service, kind))
    from sre_services import recording

    as_of = _unless_problem(_end(environment.get("SRE_RECORDING_END", "")))
    opened = _unless_problem(recording.open_recording(environment.get("SRE_RECORDING", ""), as_of))
    return import_module(f"sre_services.{service}.providers.recorded").Recorded(opened)


def _end(pinned: str) -> datetime | Problem:
    """The moment that the end of the recording is moved to: this one, unless it is pinned."""
    if not pinned:
        return clock.now()
    try:
        return clock.parse(pinned)
    except ValueError:
        return Problem(
            code="SVC-TIME-INVALID",
            what="SRE_RECORDING_END is not a time.",
            why=f"{pinned[:40]!r} is not ISO 8601.",
            do=("Write it as 2026-11-22T14:35:40Z, or leave it out: a recording then ends when the service starts.",),
        )


def _unknown_provider(service: str, kind: str) -> Problem:
    return Problem(
        code="SVC-PROVIDER-UNKNOWN",
        what=f"The {service} service has no provider {kind!r}.",
        why="SRE_PROVIDER names what answers; only `recorded` is built.",
        do=("Set SRE_PROVIDER=recorded (or leave it out) and SRE_RECORDING to a recording.",),
    )


def _openapi(arguments: argparse.Namespace) -> int:
    from sre_services import openapi
    from sre_services.application import Api

    wanted = {openapi.document_path(name): openapi.format_document(Api.of(name).document()) for name in SERVICES}
    return write_generated(wanted, check=arguments.check)


def _recordings(arguments: argparse.Namespace) -> int:
    from sre_services.scenario.write import files

    return write_generated(files(), check=arguments.check)


def write_generated(wanted: Mapping[Path, str], *, check: bool) -> int:
    """Write what differs, or say what does."""
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(("stale: " if check else "wrote: ") + str(path))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if check and stale else 0


def _unless_problem[T](value: T | Problem) -> T:
    if isinstance(value, Problem):
        raise Refused(value)
    return value
