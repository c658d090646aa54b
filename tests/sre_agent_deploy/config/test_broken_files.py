"""More than 150 mistakes that people make, and the answer to each of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.config.text_file import read_text
from sre_core.problem import Problem

from .broken_files import BROKEN, ENVIRON, answer, broken_files, expected, problems

PLANTED = ("planted-secret", "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI", "swordfish", "BEGIN PRIVATE KEY")

each_file = pytest.mark.parametrize("path", broken_files(), ids=lambda path: path.name)


def test_the_corpus_is_large() -> None:
    """At least 150 mistakes are known, and each has its answer."""
    assert len(broken_files()) >= 150
    assert {path.name for path in BROKEN.glob("*.expected")} == {expected(path).name for path in broken_files()}


@each_file
def test_the_answer_to_a_mistake(path: Path, tmp_path: Path) -> None:
    """The answer is the reviewed one, word for word: with code, position, excerpt, cause, next step and correction, and no secret.

    Each problem names the file and the line. A correction that replaces the marked text removes its fault.
    """
    found = problems(path)
    said = answer(found)
    assert said == expected(path).read_text(encoding="utf-8")
    assert found
    assert all(problem.where and problem.where.file == str(path) and problem.where.line for problem in found)
    assert all(problem.do[0] and problem.why for problem in found)
    assert not [secret for secret in PLANTED if secret in said + repr(found)]
    for problem in found:
        if "correction" in problem.context and problem.where and "***" not in problem.where.excerpt:
            assert_corrects(path, problem, tmp_path / path.name)


def assert_corrects(path: Path, problem: Problem, repaired: Path) -> None:
    """Write the correction over the marked text, verbatim: that removes the fault and leaves the file readable."""
    repaired.write_text(corrected(path, problem), encoding="utf-8")
    left = load(repaired, environ=ENVIRON, mode=None)
    codes = () if isinstance(left, Config) else left
    assert (problem.code, problem.what) not in {(other.code, other.what) for other in codes}
    assert "CONFIG-SYNTAX" not in {other.code for other in codes}


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
