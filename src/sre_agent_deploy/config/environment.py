"""Values from outside the file: `${NAME}` in it, `SRE_AGENT__SECTION__FIELD` over it, the .env file beside it, and references to secrets.

A secret that is written into the file itself is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from collections.abc import Mapping as Environ
from dataclasses import dataclass, field, replace
from typing import Literal, cast

from sre_agent_deploy.config import Fault, FieldPath, Mark, format_path
from sre_agent_deploy.config.document import Entry, Malformed, Mapping, Scalar, Sequence, Tree, parse, walk
from sre_core.nearest import find_nearest
from sre_core.redaction import CERTAIN_SECRET, is_secret_name, redact_line

type SecretStore = Literal["aws-secretsmanager", "env", "file"]

_SECRET_REFERENCE = re.compile(r"(aws-secretsmanager|file):(\S.*)|env:([A-Za-z_][A-Za-z0-9_]*)")
_EXPANSION = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


@dataclass(frozen=True)
class SecretReference:
    """`aws-secretsmanager:NAME-OR-ARN`, `env:NAME` or `file:/path`."""

    store: SecretStore
    name: str

    @classmethod
    def parse(cls, text: str) -> SecretReference | None:
        """Parse a reference; None means that `text` may be the secret itself."""
        if expansion := _EXPANSION.fullmatch(text):
            # ${NAME} is how people write it; the value must not come into the configuration, so it means env:NAME.
            return cls("env", expansion[1])
        match = _SECRET_REFERENCE.fullmatch(text)
        if not match:
            return None
        return cls("env", match[3]) if match[3] else cls(cast("SecretStore", match[1]), match[2])

    def __str__(self) -> str:
        return f"{self.store}:{self.name}"


def plain_secret(field: str) -> Fault:
    """Build the fault of a secret that is written into the file, with the ways to move it."""
    name = field.upper()
    return Fault(
        code="CONFIG-SECRET-IN-FILE",
        path=(field,),
        what=f"{field} holds a secret, or a text that is no reference to one.",
        why="Configuration files are shared, committed and backed up; a secret in them is a leaked secret.",
        do=(
            f"Keep it in AWS Secrets Manager (aws secretsmanager create-secret --name sre/{field.replace('_', '-')} --secret-string file:///dev/stdin)"
            f" and write {field}: aws-secretsmanager:sre/{field.replace('_', '-')}",
            f"Or in an environment variable, and write {field}: env:{name}",
            f"Or in a file that only you can read, and write {field}: file:/path/of/it",
            "If this file was ever shared or committed, replace the secret.",
        ),
        correction=f"env:{name}",
        aws_docs="https://docs.aws.amazon.com/secretsmanager/latest/userguide/create_secret.html",
    )


def secret_faults(tree: Tree) -> Iterator[Fault]:
    """Yield a fault for each secret that is written into the document, in any field."""
    for path, node in walk(tree):
        if not path or not isinstance(node, Scalar) or path == ("credentials", "client_secret"):
            continue
        named = is_secret_name(str(path[-1])) and node.text and not SecretReference.parse(node.text)
        if named or CERTAIN_SECRET.search(node.text):
            yield _secret(path)


def _secret(path: FieldPath) -> Fault:
    return Fault(
        code="CONFIG-SECRET-IN-FILE",
        path=path,
        what=f"{redact_line(format_path(path))} holds a secret.",
        why="Configuration files are shared, committed and backed up; a secret in them is a leaked secret.",
        do=(
            "Remove it from this file. Keep it in AWS Secrets Manager, or in the environment of the program that needs it.",
            "Fields for secrets (credentials.client_secret; assistant.api_key; token, password and kubeconfig of a source) "
            "take a reference: env:NAME",
            "If this file was ever shared or committed, replace the secret.",
        ),
        aws_docs="https://docs.aws.amazon.com/secretsmanager/latest/userguide/create_secret.html",
    )


# `$${` is a literal `${`. An opening without a proper end is a fault, so it is matched too.
_REFERENCE = re.compile(r"\$\$\{|\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^}]*)?\}|\$\{[^}]*\}?")


@dataclass
class Expansion:
    """One pass over a tree that replaces `${NAME}` and collects the faults."""

    environ: Environ[str, str]
    faults: list[Fault] = field(default_factory=list)

    def expand(self, tree: Tree, path: FieldPath = ()) -> Tree:
        """Replace every reference in a tree. A field for a secret keeps its reference, so that the value stays outside."""
        match tree:
            case Scalar():
                return tree if path and is_secret_name(str(path[-1])) else self._expand_scalar(tree, path)
            case Sequence(items=items):
                return replace(tree, items=tuple(self.expand(item, (*path, index)) for index, item in enumerate(items)))
            case Mapping(entries=entries):
                return replace(tree, entries=tuple(replace(entry, value=self.expand(entry.value, (*path, entry.key))) for entry in entries))

    def _expand_scalar(self, scalar: Scalar, path: FieldPath) -> Scalar:
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
        alike = find_nearest(name, self.environ)
        return Fault(
            code="CONFIG-ENV-MISSING",
            path=path,
            what=f"{format_path(path)} refers to the environment variable {name}, which is not set.",
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
        what=f"{format_path(path)} has a ${{ that is no reference to an environment variable.",
        why="The braces must contain a name of letters, digits and _, and optionally :- and a default.",
        do=("Write ${NAME} or ${NAME:-default}.", "For the two characters themselves write $${"),
        mark=mark,
    )


@dataclass(frozen=True)
class Reference:
    """An environment variable that the configuration names: `${NAME}`, `${NAME:-default}` or `env:NAME`."""

    name: str
    where: str
    has_default: bool = False
    is_secret: bool = False


def find_references(tree: Tree) -> Iterator[Reference]:
    """Find the variables that a configuration names, each once, in its order."""
    found: set[str] = set()
    for path, node in walk(tree):
        for reference in _references_in(format_path(path), node) if isinstance(node, Scalar) else ():
            if reference.name not in found:
                found.add(reference.name)
                yield reference


def _references_in(where: str, scalar: Scalar) -> Iterator[Reference]:
    if is_secret_name(where):
        secret = SecretReference.parse(scalar.text)
        if secret and secret.store == "env":
            yield Reference(secret.name, where, is_secret=True)
        return
    for match in _REFERENCE.finditer(scalar.text):
        if match["name"]:
            yield Reference(match["name"], where, has_default=match["default"] is not None)


def find_setting_names(text: str, dotenv: str) -> Iterator[str]:
    """Name the variables that hold settings and no secret: those that a configuration refers to, and overrides."""
    tree = parse(text)
    if not isinstance(tree, Malformed):
        yield from (reference.name for reference in find_references(tree) if not reference.is_secret)
    yield from (name for name in read_dotenv(dotenv)[0] if name.startswith(PREFIX))


PREFIX = "SRE_AGENT__"
NOWHERE = Mark(1, 1)


def apply_overrides(tree: Mapping, environ: Environ[str, str]) -> Mapping:
    """Put every override into the tree. Each value keeps the name of its variable."""
    for name in sorted(environ):
        if name.startswith(PREFIX):
            section, *rest = name.removeprefix(PREFIX).split("__")
            # Keys of tags are the user's own, so they keep their case.
            steps = [section.lower(), *(rest if section.upper() == "TAGS" else map(str.lower, rest))]
            tree = _put_override(tree, steps, _parse_override(environ[name], name), Scalar("", NOWHERE, origin=name))
    return tree


def _parse_override(text: str, name: str) -> Tree:
    """Parse a list or mapping as YAML; take everything else as text."""
    parsed = parse(text) if text.lstrip().startswith(("[", "{")) else None
    if parsed is None or isinstance(parsed, Malformed):
        return Scalar(text, NOWHERE, origin=name)
    return _mark_origin(parsed, name)


def _mark_origin(tree: Tree, name: str) -> Tree:
    match tree:
        case Scalar(text=text):
            return Scalar(text, NOWHERE, origin=name)
        case Sequence(items=items):
            return Sequence(tuple(_mark_origin(item, name) for item in items), NOWHERE)
        case Mapping(entries=entries):
            return Mapping(tuple(Entry(entry.key, _mark_origin(entry.value, name), NOWHERE) for entry in entries), NOWHERE)


def _put_override(tree: Mapping, steps: list[str], value: Tree, origin: Scalar) -> Mapping:
    step, *deeper = steps
    existing = next((entry for entry in reversed(tree.entries) if entry.key == step), Entry(step, Mapping((), NOWHERE), NOWHERE))
    below = existing.value if isinstance(existing.value, Mapping) else Mapping((), NOWHERE)
    new = replace(existing, value=_put_override(below, deeper, value, origin) if deeper else value)
    return replace(tree, entries=(*(entry for entry in tree.entries if entry is not existing), new))


_LINE = re.compile(r"(export\s+)?(?P<name>[A-Za-z_][A-Za-z0-9_]*)\s*=\s*(?P<value>'[^']*'|\"(\\.|[^\"\\])*\"|[^#'\"\s][^#]*?|)\s*(\s#.*)?")


def read_dotenv(text: str) -> tuple[dict[str, str], tuple[Fault, ...]]:
    """Read the variables of a `.env` file, and a fault for each line that is malformed. No fault repeats a value."""
    variables: dict[str, str] = {}
    faults: list[Fault] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line.strip())
        if match:
            variables[match["name"]] = _unquote(match["value"])
        else:
            faults.append(_malformed_line(number))
    return variables, tuple(faults)


def comment_beside(line: str) -> str:
    """Return the comment behind a value in a .env file: the longest end of the line without which it says the same."""
    meaning = read_dotenv(line)
    starts = (found.start() for found in re.finditer(r"\s#", line))
    return next((line[start:].strip() for start in starts if read_dotenv(line[:start]) == meaning), "")


def _unquote(value: str) -> str:
    if value.startswith('"'):
        return re.sub(r"\\(.)", lambda escape: "\n" if escape[1] == "n" else escape[1], value[1:-1])
    return value[1:-1] if value.startswith("'") else value


def _malformed_line(number: int) -> Fault:
    return Fault(
        code="CONFIG-DOTENV",
        path=(),
        what="A line of the .env file can't be read.",
        why="It is neither NAME=value nor a comment, or its quote is not closed.",
        do=("Write NAME=value, with quotes around a value that has spaces or # in it.",),
        mark=Mark(number, 1),
    )
