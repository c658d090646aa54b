"""`${NAME}` and `${NAME:-default}` become what the environment says."""

from __future__ import annotations

import re
from collections.abc import Mapping as Environ
from dataclasses import dataclass, field, replace

from sre_agent_deploy.config.document import Mapping, Scalar, Sequence, Tree
from sre_agent_deploy.config.fault import Fault, FieldPath, Mark, dotted
from sre_agent_deploy.config.nearest import nearest
from sre_agent_deploy.config.redaction import is_secret_key

# `$${` is a literal `${`. An opening without a proper end is a fault, so it is matched too.
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]*)?\}|\$\{[^}]*\}?")


@dataclass
class Expansion:
    """One pass over a tree, which collects its faults."""

    environ: Environ[str, str]
    faults: list[Fault] = field(default_factory=list)

    def of(self, tree: Tree, path: FieldPath = ()) -> Tree:
        """The tree with every reference replaced. A field for a secret keeps its reference: the value stays outside."""
        match tree:
            case Scalar():
                return tree if path and is_secret_key(str(path[-1])) else self._scalar(tree, path)
            case Sequence(items=items):
                return replace(tree, items=tuple(self.of(item, (*path, index)) for index, item in enumerate(items)))
            case Mapping(entries=entries):
                return replace(tree, entries=tuple(replace(entry, value=self.of(entry.value, (*path, entry.key))) for entry in entries))

    def _scalar(self, scalar: Scalar, path: FieldPath) -> Scalar:
        names: list[str] = []

        def value(found: re.Match[str]) -> str:
            if found[0] == "$${":
                return "${"
            name, default = found["name"], found["default"]
            if not name:
                self.faults.append(_malformed(path, scalar.mark))
                return ""
            names.append(name)
            if name not in self.environ and default is None:
                self.faults.append(self._missing(name, path, scalar.mark))
            return self.environ.get(name) or (default or ":-")[2:]

        text = _REFERENCE.sub(value, scalar.text)
        return replace(scalar, text=text, variables=tuple(names)) if names or text != scalar.text else scalar

    def _missing(self, name: str, path: FieldPath, mark: Mark) -> Fault:
        alike = nearest(name, self.environ)
        return Fault(
            code="CONFIG-ENV-MISSING",
            path=path,
            what=f"{dotted(path)} refers to the environment variable {name}, which is not set.",
            why="Neither the environment nor the .env file beside the configuration has it.",
            do=(
                *((f"A variable {alike} is set: did you mean ${{{alike}}}?",) if alike else ()),
                f"Set it: export {name}=...",
                f"Or give a default: ${{{name}:-value}}",
            ),
            mark=mark,
        )


def _malformed(path: FieldPath, mark: Mark) -> Fault:
    return Fault(
        code="CONFIG-ENV-SYNTAX",
        path=path,
        what=f"{dotted(path)} has a ${{ that refers to no environment variable.",
        why="Inside the braces stands a name of letters, digits and _, and optionally :- and a default.",
        do=("Write ${NAME} or ${NAME:-default}.", "For the two characters themselves write $${"),
        mark=mark,
    )
