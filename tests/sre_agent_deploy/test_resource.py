"""How one birth is recognised again."""

from __future__ import annotations

from sre_agent_deploy.resource import NAME_TAG, Mark


def test_a_users_tags_never_replace_ours() -> None:
    """Cleanup trusts our tags, so nothing may override them."""
    mark = Mark("sre-1", "bucket", 2, "token", {NAME_TAG: "mine", "team": "shop"})
    assert mark.tags() == {
        "team": "shop",
        "sre-agent:deployment-id": "sre-1",
        "sre-agent:resource": "bucket",
        "sre-agent:generation": "2",
    }
