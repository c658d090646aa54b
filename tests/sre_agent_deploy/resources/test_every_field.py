"""One declaration, four uses: no field is forgotten by the calls, the Console guide or the template."""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import pytest

from sre_agent_deploy.resources.certificate import Certificate
from sre_agent_deploy.resources.kinds import ORDER, by_kind
from sre_agent_deploy.resources.s3_bucket import S3Bucket

from .samples import kinds, sample, variants
from .wire import Recorder, Sent

# A type says with `EXEMPT` which of its fields need not show everywhere, and why.
EXEMPT: dict[tuple[type[Any], str], str] = {
    (Certificate, "source"): "what it issues holds a private key, and a template must not",
    (S3Bucket, "tls_only"): "always wanted; only what AWS has can be otherwise, and configure then repairs it",
}
EVERY_KIND = pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)


def _reason(kind: type[Any], field: str) -> str:
    return str(getattr(kind, "EXEMPT", {}).get(field) or EXEMPT.get((kind, field), ""))


def _without(sent: Sent, places: Container[object]) -> Sent:
    return {place: value for place, value in sent.items() if place not in places}


@EVERY_KIND
def test_changing_a_field_changes_the_console_steps(kind: type[Any]) -> None:
    """A person who follows the guide makes what the declaration says, in every value."""
    declared = sample(kind)
    forgotten = {field for field, other in variants(declared) if other.console() == declared.console()}
    assert {field for field in forgotten if not _reason(kind, field)} == set()


@EVERY_KIND
def test_changing_a_field_changes_the_template(kind: type[Any]) -> None:
    """CloudFormation makes what the declaration says, in every value."""
    declared = sample(kind)
    forgotten = {field for field, other in variants(declared) if other.template() == declared.template()}
    assert {field for field in forgotten if not _reason(kind, field)} == set()


@EVERY_KIND
def test_changing_a_field_changes_what_is_sent_to_aws(recorder: Recorder, kind: type[Any]) -> None:
    """Creation and configuration send every value of the declaration to AWS, secrets too."""
    declared = sample(kind)
    first, again = recorder.requests(declared), recorder.requests(declared)
    random = {place for place in first if first[place] != again.get(place)}
    sent = _without(first, random)
    forgotten = {field for field, other in variants(declared, secrets=True) if _without(recorder.requests(other), random) == sent}
    assert {field for field in forgotten if not _reason(kind, field)} == set()


@EVERY_KIND
def test_what_a_type_says_of_itself(kind: type[Any]) -> None:
    """It has a kind that a journal can look up, steps to follow, and special fields that exist."""
    declared = sample(kind)
    assert by_kind(kind.KIND).KIND == kind.KIND
    assert all(declared.console())
    assert set(declared.FIXED) | set(declared.UNSEEN) | set(getattr(kind, "EXEMPT", {})) <= set(kind.__dataclass_fields__)


def test_the_order_of_creation() -> None:
    """A resource is created after its parent, so that cleanup, which goes backwards, still finds the parent."""
    order = [kind.KIND for kind in ORDER]
    assert [kind for kind in ORDER if kind.PARENT and order.index(kind.PARENT) > order.index(kind.KIND)] == []
