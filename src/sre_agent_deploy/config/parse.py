"""Text to tree: the one place that knows ruamel.yaml."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sre_agent_deploy.config.document import Entry, Mapping, Mark, Scalar, Sequence, Tree

if TYPE_CHECKING:
    from ruamel.yaml.nodes import Node

DEEPEST = 20
_NULL = "tag:yaml.org,2002:null"


class Malformed(Exception):
    """The text is no YAML; `what` says in a word or two what the parser stumbled over."""

    def __init__(self, what: str, mark: Mark) -> None:
        super().__init__(what)
        self.what = what
        self.mark = mark


def parse(text: str) -> Tree:
    """The tree of a YAML 1.2 text; JSON is YAML too. Raises Malformed at the first place that can't be read."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError, YAMLError

    try:
        root = YAML().compose(text)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise Malformed(str(error.problem or error.context), _mark(mark)) from None
    except YAMLError as error:
        raise Malformed(type(error).__name__, Mark(1, 1)) from None
    return Mapping((), Mark(1, 1)) if root is None else _tree(root, depth=0)


def _mark(mark: object) -> Mark:
    return Mark(getattr(mark, "line", 0) + 1, getattr(mark, "column", 0) + 1)


def _tree(node: Node, depth: int) -> Tree:
    from ruamel.yaml.nodes import MappingNode, SequenceNode

    mark = _mark(node.start_mark)
    if depth > DEEPEST:
        raise Malformed("nested too deeply", mark)
    if node.anchor:
        # Aliases can repeat one another until memory ends, and a configuration this small needs none.
        raise Malformed("an anchor (&)", mark)
    if isinstance(node, MappingNode):
        return Mapping(tuple(_entry(key, value, depth) for key, value in node.value), mark)
    if isinstance(node, SequenceNode):
        return Sequence(tuple(_tree(item, depth + 1) for item in node.value), mark)
    plain = getattr(node, "style", None) is None
    return Scalar(None if plain and node.tag == _NULL else str(node.value), mark, plain)


def _entry(key: Node, value: Node, depth: int) -> Entry:
    name = _tree(key, depth + 1)
    if not isinstance(name, Scalar) or name.text is None:
        raise Malformed("a key that is no text", _mark(key.start_mark))
    return Entry(name.text, _tree(value, depth + 1), name.mark)
