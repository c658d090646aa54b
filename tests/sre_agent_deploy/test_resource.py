"""Marks: the tags and tokens by which a created resource is recognised."""

from __future__ import annotations

import pytest

from sre_agent_deploy.resource import GENERATION_TAG, NAME_TAG, Mark, Owned


def test_a_users_tags_never_replace_ours() -> None:
    """Cleanup trusts our tags, so nothing may override them."""
    mark = Mark("sre-1", "bucket", 2, "token", {NAME_TAG: "mine", "team": "shop"})
    assert mark.tags() == {
        "team": "shop",
        "sre-agent:deployment-id": "sre-1",
        "sre-agent:resource": "bucket",
        "sre-agent:generation": "2",
    }


@pytest.mark.parametrize(("tag", "generation"), [("3", 3), ("", 1), ("two", 1), ("-1", 1)])
def test_a_generation_that_was_edited_by_hand(tag: str, generation: int) -> None:
    """A generation tag that is no number counts as the first generation, without a traceback."""
    assert Owned.tagged("b-1", {NAME_TAG: "bucket", GENERATION_TAG: tag}).generation == generation
