"""A Fault becomes a Problem: with file, line, column, and the line itself."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from sre_agent_deploy.config.document import Mapping, Scalar, Sequence, Tree, standing
from sre_agent_deploy.config.excerpt import excerpt
from sre_agent_deploy.config.fault import Fault, Mark
from sre_core.problem import Problem, Where

START = Mark(1, 1)


@dataclass(frozen=True)
class Page:
    """A configuration file's name and text."""

    name: str
    text: str

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")

    def problem(self, fault: Fault) -> Problem:
        """The problem of a fault whose place is known."""
        return _problem(fault, self._where(fault, fault.mark or START))

    def problems(self, tree: Tree, faults: Iterable[Fault]) -> tuple[Problem, ...]:
        """The problems of all faults in a tree, in the order of the file."""
        placed = [self._placed(tree, fault) for fault in faults]
        return tuple(sorted(placed, key=lambda problem: (problem.where.line or 0, problem.where.column or 0) if problem.where else (0, 0)))

    def _placed(self, tree: Tree, fault: Fault) -> Problem:
        place = standing(tree, fault.path)
        if origin := _origin(place.node):
            return _problem(fault, Where(f"environment variable {origin}"))
        if not fault.mark and place.node is None and place.key == tree.mark:
            return _problem(fault, Where(self.name, START.line, START.column))  # it stands nowhere: no line to show
        problem = _problem(fault, self._where(fault, fault.mark or (place.key if fault.at_key else place.value)))
        if isinstance(place.node, Scalar) and place.node.variables and not fault.mark:
            return problem.with_context(value_from=", ".join(f"${{{name}}}" for name in place.node.variables))
        return problem

    def _where(self, fault: Fault, mark: Mark) -> Where:
        return Where(self.name, mark.line, mark.column, excerpt(self.lines, mark, free_keys=fault.path[:1] == ("tags",)))


def _origin(node: Tree | None) -> str:
    """The environment variable that a value came from, if it did not come from the file."""
    match node:
        case Scalar(origin=origin):
            return origin
        case Sequence(items=(first, *_)):
            return _origin(first)
        case Mapping(entries=(first, *_)):
            return _origin(first.value)
    return ""


def _problem(fault: Fault, where: Where) -> Problem:
    context = {"correction": fault.correction} if fault.correction is not None else {}
    return Problem(code=fault.code, what=fault.what, why=fault.why, do=fault.do, context=context, where=where, aws_docs=fault.aws_docs)
