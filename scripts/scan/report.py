"""The report of a scan as Markdown (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from scripts.scan.findings import Judgement, Outcome

_VERDICTS = ("passed", "FAILED", "INCOMPLETE")


def render(outcomes: Sequence[Outcome], judgement: Judgement, sbom_problem: str, without: Sequence[str]) -> str:
    """Render what each scanner looked at, and what must be done."""
    rows = [
        f"| {one.tool} | {one.looked_at or 'did not run: ' + one.not_run} | {len(one.findings)} |"
        for one in sorted(outcomes, key=lambda one: one.tool)
    ]
    new = [f"- {one.tool} {one.rule} at {one.where}: {one.what}" for one in judgement.new]
    accepted = [f"- {one.tool} {one.rule} at {one.where}: {entry.why}" for one, entry in judgement.accepted]
    outdated = [f"- {entry.tool} {entry.rule} at {entry.where} is found no more: delete it" for entry in judgement.outdated]
    unknown = [f"- {one.tool}: {one.not_run}" for one in judgement.not_run]
    return "\n".join(
        (
            f"# Scan: {_VERDICTS[1 if sbom_problem else judgement.exit_code]}",
            "",
            "| scanner | looked at | findings |",
            "| --- | --- | ---: |",
            *rows,
            *(f"| {name} | left out by --without | |" for name in without),
            f"| SBOM | {sbom_problem or 'sbom.cdx.json, CycloneDX 1.5'} | |",
            *_section("To fix, or to justify in scripts/scan/accepted.toml", new),
            *_section("Entries that accept nothing any more", outdated),
            *_section("Could not look: what these would find is not known", (*unknown, *_advise(judgement.not_run))),
            *_section("Accepted", accepted),
            "",
        )
    )


def _advise(not_run: Sequence[Outcome]) -> Iterator[str]:
    """Yield what to do where a scanner could not look."""
    if not_run:
        left_out = " ".join(f"--without {one.tool}" for one in not_run)
        yield "- Run it again where it can look: most often the network is missing, or a program."
        yield f'- Or leave it out, and the report says so: make scan ARGS="{left_out}"'


def _section(title: str, lines: Iterable[str]) -> tuple[str, ...]:
    found = tuple(lines)
    return ("", f"## {title}", "", *found) if found else ()
