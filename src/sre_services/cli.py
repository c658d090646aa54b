"""The command line: serve one API, or generate its OpenAPI documents and the recordings."""

from __future__ import annotations

import argparse
import gc
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from sre_core import log, release
from sre_core.problem import Problem, Refused

SERVICES = tuple(service.name for service in release.backends())
EXIT_PROBLEM = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. A Problem goes to standard error and ends it with 2."""
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
    check = commands.add_parser(
        "check", help="print why the sources of services, or their recording, can't be read, one a line as JSON; nothing where they can"
    )
    check.add_argument("services", nargs="+", choices=SERVICES, metavar="SERVICE")
    check.set_defaults(run=_check)
    rbac = commands.add_parser("rbac", help="print the RBAC manifest that allows what the services read of a cluster")
    rbac.add_argument("--namespace", default="default", help="the namespace of the service account (default: default)")
    rbac.add_argument("--group", default="", help="allow it to this group, as an access entry of EKS names it, not to a service account")
    rbac.set_defaults(run=_rbac)
    return parser


def _check(arguments: argparse.Namespace) -> int:
    """Print each Problem of the sources in SRE_SOURCES, or of the recording, and return 1; nothing and 0 where all can be read."""
    # Several services have the same problem where they have no recording.
    lines = dict.fromkeys(json.dumps(problem.to_json()) for name in arguments.services for problem in _find_problems(name))
    print(*lines, sep="\n", end="\n" if lines else "")
    return 1 if lines else 0


def _find_problems(service: str) -> tuple[Problem, ...]:
    from sre_services.providers import check_sources, open_provider

    try:
        return tuple(problem for problem in check_sources(open_provider(service, os.environ)).values() if problem)
    except Refused as refused:
        return refused.problems


def _rbac(arguments: argparse.Namespace) -> int:
    """Print JSON, which kubectl reads as it reads YAML."""
    from sre_services.kubernetes.resources import rbac_manifest

    print(json.dumps(rbac_manifest(arguments.namespace, arguments.group), indent=2))
    return 0


def _serve(arguments: argparse.Namespace) -> int:
    # Everything that is made here stays for good: collecting garbage meanwhile costs a sixth of the start.
    gc.disable()
    from sre_core import tracing
    from sre_services import application, auth, serving
    from sre_services.providers import open_provider

    name = arguments.service
    if off := tracing.start(name, os.environ):
        log.get(service=name).warning("traces.off", **off.to_json())
    key = auth.read_api_key(os.environ)
    if isinstance(key, Problem):
        raise Refused(key)
    app = application.build_app(application.Api.of(name), open_provider(name, os.environ), key)
    gc.freeze()
    gc.enable()
    log.get(service=name).info("service.started", socket=str(arguments.socket))
    serving.serve(app, arguments.socket)
    return 0


def _openapi(arguments: argparse.Namespace) -> int:
    from sre_services import openapi
    from sre_services.application import Api

    wanted = {openapi.document_path(name): openapi.format_document(Api.of(name).document()) for name in SERVICES}
    return write_generated(wanted, check=arguments.check)


def _recordings(arguments: argparse.Namespace) -> int:
    from sre_services.scenario.write import build_files

    return write_generated(build_files(), check=arguments.check)


def write_generated(wanted: Mapping[Path, str], *, check: bool) -> int:
    """Write the files that differ; with `check`, only print their names."""
    stale = [path for path, text in wanted.items() if not path.is_file() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(("stale: " if check else "wrote: ") + str(path))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(wanted[path], encoding="utf-8")
    return 1 if check and stale else 0
