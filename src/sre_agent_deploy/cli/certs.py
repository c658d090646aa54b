"""`certs`: which certificate is served, by whom it was issued, and when it is renewed."""

from __future__ import annotations

import json

import click

from sre_agent_deploy.cli.options import json_option, request_options
from sre_agent_deploy.commands import Request
from sre_core import exit_codes

_BAD = {"TLS-EXPIRED", "TLS-NOT-YET-VALID", "TLS-NAME-MISSING", "TLS-NOT-TRUSTED", "TLS-TOO-WEAK"}


@click.command("certs", help="Show the certificate that a deployment serves: issuer, days left, source and next renewal.")
@request_options
@json_option
def certs(request: Request, *, as_json: bool) -> None:
    from sre_agent_deploy.cli.render import show_problems
    from sre_agent_deploy.commands import certs as commands

    found = commands.read_certificate(request)
    facts = found.to_json()
    if as_json:
        click.echo(json.dumps(facts))
    else:
        shown = facts | {"names": ", ".join(facts["names"]), "trusted": "yes" if facts["trusted"] else f"no: {found.presented.distrust}"}
        for name in ("url", "names", "issuer", "trusted", "not_before", "not_after", "days_left", "source", "renewal"):
            click.echo(f"{name:12} {shown[name]}")
        show_problems(found.problems, as_json=False)
    if _BAD & {problem.code for problem in found.problems}:
        raise click.exceptions.Exit(exit_codes.FAILED)
