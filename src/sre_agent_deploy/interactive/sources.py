"""One line for the sources of a service: `eks:prod, kubeconfig`, each with the one value that says where it is (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from sre_agent_deploy.config.document import Plain
from sre_agent_deploy.config.secret_reference import SecretReference

PLACES: Mapping[str, str] = {
    "kubeconfig": "kubeconfig",
    "eks": "cluster",
    "files": "path",
    "journald": "url",
    "loki": "url",
    "opensearch": "url",
    "cloudwatch": "log_groups",
    "prometheus": "url",
    "amp": "url",
    "git": "url",
    "s3": "bucket",
    "folder": "path",
}
"""By the kind of source, the setting that says where it is."""
EXAMPLES: Mapping[str, str] = {
    "kubernetes": "eks:prod, kubeconfig:~/.kube/config",
    "logs": "eks:prod, cloudwatch:/aws/lambda/checkout, loki:https://loki.example.com",
    "metrics": "amp:https://aps-workspaces.eu-west-1.amazonaws.com/workspaces/ws-…, cloudwatch, prometheus:https://prometheus.example.com",
    "runbooks": "git:https://git.example.com/team/runbooks.git, s3:team-runbooks",
}
HOW = "Several with commas; what else a source needs is written in the file."


def parse_sources(answer: str) -> list[Plain]:
    """Parse an answer: entries of the list in the file. Several log groups are one source."""
    entries: list[dict[str, Plain]] = []
    for kind, value in _split(answer):
        # What is no kind of source is said by the rules of the configuration.
        place = PLACES.get(kind, "")
        groups = next((entry[place] for entry in entries if entry["source"] == kind and place in entry), None)
        if place == "log_groups" and isinstance(groups, list) and value:
            groups.append(value)
        else:
            entries.append({"source": kind, **({place: _write_place(place, value)} if place and value else {})})
    return list(entries)


def _split(answer: str) -> Iterator[tuple[str, str]]:
    for part in filter(None, map(str.strip, answer.split(","))):
        kind, _, value = part.partition(":")
        yield kind.strip(), value.strip()


def _write_place(place: str, value: str) -> Plain:
    if place == "log_groups":
        return [value]
    # A kubeconfig is named by a reference; a path alone means its file.
    return f"file:{value}" if place == "kubeconfig" and not SecretReference.parse(value) else value
