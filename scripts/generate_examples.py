"""Write the examples from which the assistant learns kinds of questions: the wordings of the evaluation, each name as NAME."""

import re
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

from sre_agent.question.names import find_mentions
from sre_agent.question.wording import normalize

ROOT = Path(__file__).parents[1]
QUESTIONS = ROOT / "evals/questions"
EXAMPLES = ROOT / "src/sre_agent/question/examples.txt"
HEAD = "# kind | question. Written by scripts/generate_examples.py from evals/questions: teach a wording there."


def main() -> None:
    rows = [*_read_wordings(), *_read_paraphrases()]
    known = {part for _, name, _ in rows if name for part in (name, name.partition("-")[0])}
    lines = {f"{kind} | {_mask(text, known | _named(kind, text))}" for kind, _, text in rows if kind != "language"}
    EXAMPLES.write_text("\n".join((HEAD, *sorted(line.replace("not_found |", "diagnosis |") for line in lines))) + "\n", encoding="utf-8")


def _read_wordings() -> Iterator[tuple[str, str, str]]:
    lines = (QUESTIONS / "wordings.txt").read_text(encoding="utf-8").splitlines()
    for line in lines:
        if not line.startswith("#"):
            kind, name, text = line.split(" | ")
            yield kind, name.strip(), text


def _read_paraphrases() -> Iterator[tuple[str, str, str]]:
    for question in tomllib.loads((QUESTIONS / "questions.toml").read_text(encoding="utf-8"))["question"]:
        for text in (question["text"], *question.get("paraphrases", ())):
            yield question.get("verdict", "").replace("not_understood", "") or question["kind"], question.get("subject", ""), text


def _named(kind: str, text: str) -> set[str]:
    """Name what a question is about that nothing has, and what is the subject of a statement."""
    return {mention.text for mention in find_mentions(normalize(text)) if kind == "not_found" or mention.stated}


def _mask(text: str, names: Iterable[str]) -> str:
    ordered = sorted(map(re.escape, names), key=len, reverse=True)
    return re.sub(rf"(?<![\w-])(?:{'|'.join(ordered)})s?(?:-\w+)?(?![\w-])", "NAME", text, flags=re.I)


if __name__ == "__main__":
    main()
