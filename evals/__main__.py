"""`python -m evals NAME`: tables of cases and A@1, of questions answered in kind, and of what can be seen through the tools."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click

from evals import calibration, left_out, observations, recordings, results
from evals.cases import run as cases
from evals.questions import run as questions
from evals.score import table
from evals.suites import run as suites


@click.group()
def command() -> None:
    """How well the assistant diagnoses."""


@command.command("recordings")
@click.option("--only", default="", metavar="WORDS", help="Only the cases whose name contains this.")
def _recordings(only: str) -> None:
    """The recordings that ship, as they are, renamed, and without their proof."""
    outcomes = list(recordings.run(only))
    click.echo(table(outcomes))
    sys.exit(0 if all(found.right for found in outcomes) else 1)


@command.command("cases")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--only", default="", metavar="WORDS", help="Only the cases whose name contains this.")
@click.option("--every", is_flag=True, help="Show the cases that were right as well.")
@click.option("--workers", default=1, show_default=True, help="How many cases are asked about at the same time.")
@click.option("--json", "kept", type=click.Path(dir_okay=False, path_type=Path), help="Write what was said of each case to this file.")
@click.option("--keep", is_flag=True, help="Keep the figures as those with which the next run is compared.")
def _cases(folder: Path, *, only: str, every: bool, workers: int, kept: Path | None, keep: bool) -> None:
    """Labelled cases of the Cloud-OpsBench layout, below FOLDER, compared with the last committed result."""
    scored = list(cases.run(folder, only, workers))
    _compare("cases", cases.count(scored), keep=keep)
    click.echo(cases.table(scored, every=every))
    if kept:
        kept.write_text(json.dumps([asdict(found) for found in scored], indent=1), encoding="utf-8")
    sys.exit(0 if scored else 1)


@command.command("left-out")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--workers", default=1, show_default=True, help="How many cases are asked about at the same time.")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="Draw how often each confidence was right, as SVG.")
@click.option("--keep", is_flag=True, help="Keep the figures as those with which the next run is compared.")
def _left_out(folder: Path, workers: int, plot: Path | None, keep: bool) -> None:
    """The same cases, by rules that do not know the cause of the case: what they say of faults that nobody foresaw."""
    unknown = list(cases.run(folder, "", workers, leave_out=True))
    click.echo(left_out.table(unknown))
    _compare("left-out", left_out.count(unknown), keep=keep)
    if plot:
        known = list(cases.run(folder, "", workers))
        plot.write_text(left_out.plot({"cause known": known, "cause left out": unknown}), encoding="utf-8")


@command.command("calibrate")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--workers", default=1, show_default=True, help="How many cases are asked about at the same time.")
def _calibrate(folder: Path, workers: int) -> None:
    """Fit the confidence of the rules, to be written into reasoners/rules/calibration.py, and say how well it is stated."""
    scored = [one for leave_out in (False, True) for one in cases.run(folder, "", workers, leave_out=leave_out)]
    outcomes = calibration.list_outcomes(scored)
    bands = calibration.fit(outcomes)
    stated = {"scores": outcomes, "fitted": calibration.state(outcomes, bands), "cross-validated": calibration.cross_validate(outcomes)}
    click.echo(f"BANDS: Bands = {bands}")
    for name, found in stated.items():
        click.echo(f"\n{name}:\n{calibration.table(found)}")


def _compare(name: str, figures: Mapping[str, float], *, keep: bool) -> None:
    click.echo(results.compare(name, figures))
    if keep:
        results.keep(name, figures)


@command.command("questions")
@click.option("--write", is_flag=True, help="Write the answers to the files beside the questions, to be reviewed.")
def _questions(write: bool) -> None:
    """Questions of every kind, each in several wordings: how many are answered in kind."""
    listed = questions.read_questions()
    for recording in questions.RECORDINGS if write else ():
        answers = questions.render_answers(recording, questions.ask_all(recording, listed))
        (questions.FOLDER / f"{recording}.md").write_text(answers, encoding="utf-8")
    lines = list(questions.score(listed))
    click.echo("\n".join(lines))
    sys.exit(0 if float(lines[-1].split()[0]) >= questions.GOAL else 1)


@command.command("suites")
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--only", multiple=True, metavar="WORDS", help="Only the suites whose name contains this; may be repeated.")
@click.option("--workers", default=1, show_default=True, help="How many incidents are asked about at the same time.")
@click.option("--keep", is_flag=True, help="Keep the figures as those with which the next run is compared.")
def _suites(folder: Path | None, only: tuple[str, ...], workers: int, keep: bool) -> None:
    """Incidents that are built: healthy, two faults, decoys, other names, two hundred applications; from cases below FOLDER."""
    found = list(suites.run(folder, workers, only))
    click.echo(suites.table(found))
    _compare("suites of cases" if folder else "suites of our recordings", suites.count(found), keep=keep)
    sys.exit(0 if all(one.right for one in found) else 1)


@command.command("observations")
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--most", default=observations.MOST_CASES, show_default=True, help="How many cases of each cause are asked about.")
@click.option("--workers", default=1, show_default=True, help="How many cases are asked about at the same time.")
@click.option("--keep", is_flag=True, help="Keep the figures as those with which the next run is compared.")
def _observations(folder: Path | None, most: int, workers: int, keep: bool) -> None:
    """For each cause, whether what decides it can be seen through the tools, and by which."""
    found = list(observations.run(folder, workers, most))
    click.echo(observations.table(found))
    _compare("observations of cases" if folder else "observations of made incidents", observations.count(found), keep=keep)
    sys.exit(0 if all(one.seen for one in found) else 1)


command(prog_name="python -m evals")
