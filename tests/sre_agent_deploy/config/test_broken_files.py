"""More than eighty mistakes that people make, and what each of them is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.read_text import read_text
from sre_core.problem import Problem

from .broken_files import BROKEN, ENVIRON, answer, broken_files, expected, problems

PLANTED = ("planted-secret", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", "swordfish", "BEGIN PRIVATE KEY")

each_file = pytest.mark.parametrize("path", broken_files(), ids=lambda path: path.name)


def test_the_corpus_is_large() -> None:
    """At least eighty mistakes are known, and each has its answer."""
    assert len(broken_files()) >= 80
    assert {path.name for path in BROKEN.glob("*.expected")} == {expected(path).name for path in broken_files()}


@each_file
def test_the_answer_to_a_mistake(path: Path) -> None:
    """Code, place, excerpt, cause and correction are the ones that were reviewed, word for word."""
    assert answer(path) == expected(path).read_text(encoding="utf-8")


@each_file
def test_every_mistake_has_a_place_and_a_next_step(path: Path) -> None:
    """Each problem names the file and the line, and says what to do first."""
    found = problems(path)
    assert found
    assert all(problem.where and problem.where.file == str(path) and problem.where.line for problem in found)
    assert all(problem.do[0] and problem.why for problem in found)


@each_file
def test_no_secret_is_repeated(path: Path) -> None:
    """A secret that stands in a file, in whatever place, is in nothing that is said about the file."""
    said = answer(path) + repr(problems(path))
    assert not [secret for secret in PLANTED if secret in said]


@each_file
def test_a_correction_makes_its_fault_go_away(path: Path, tmp_path: Path) -> None:
    """Writing the correction over the marked stretch, verbatim, removes that fault and leaves the file readable."""
    for problem in problems(path):
        if "correction" in problem.context and problem.where and "***" not in problem.where.excerpt:
            repaired = tmp_path / path.name
            repaired.write_text(corrected(path, problem), encoding="utf-8")
            loaded = load(repaired, environ=ENVIRON, mode=None)
            left = () if isinstance(loaded, Config) else loaded
            assert (problem.code, problem.what) not in {(other.code, other.what) for other in left}
            assert "CONFIG-SYNTAX" not in {other.code for other in left}


def corrected(path: Path, problem: Problem) -> str:
    """The file with the correction in place of what the carets mark."""
    text = read_text(path)
    assert isinstance(text, str)
    assert problem.where
    assert problem.where.line
    assert problem.where.column
    lines = text.split("\n")
    line, start = lines[problem.where.line - 1], problem.where.column - 1
    quote = line[start] if line[start] in "\"'" and not problem.context["correction"].startswith("[") else ""
    marked = line[start:] if len(line) > 110 else line[start : start + problem.where.excerpt.count("^")]
    lines[problem.where.line - 1] = line[:start] + quote + problem.context["correction"] + quote + line[start + len(marked) :]
    return "\n".join(lines)
