"""Every type has its page of the Console, and says what it looks like when it is right."""

from __future__ import annotations

from urllib.parse import urlsplit

from sre_agent_deploy.guide.places import PLACES, find_place
from sre_agent_deploy.resources.kinds import ORDER

TYPES = {kind.KIND for kind in ORDER}


def test_every_type_has_a_place() -> None:
    """No type is missing, and no place is of a type that does not exist."""
    assert set(PLACES) == TYPES


def test_places_of_other_partitions() -> None:
    """Each place is an https address of its region's own Console, without an open value."""
    for region, domain in (("eu-west-1", "console.aws.amazon.com"), ("cn-north-1", "console.amazonaws.cn")):
        links = [find_place(kind, region)[0] for kind in TYPES]
        assert all(urlsplit(link).netloc.endswith(domain) for link in links)
        assert not any("{" in link for link in links)
