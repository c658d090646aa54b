"""Chains: which names they cover, and what is wrong with them."""

from __future__ import annotations

import pytest

from sre_agent_deploy.tls.chain import Chain, find_faults

from .certificates import NOW, Party, authority, leaf

ROOT = authority("root")
INTERMEDIATE = authority("intermediate", ROOT)
LEAF = leaf(INTERMEDIATE, "sre.example.com", "*.api.example.com", "192.0.2.7", "2001:db8::7")


def chain(*parties: Party) -> Chain:
    return Chain.parse("".join(party.pem for party in parties))


@pytest.mark.parametrize(
    ("host", "covered"),
    [
        ("sre.example.com", True),
        ("SRE.example.com.", True),
        ("www.sre.example.com", False),
        ("v1.api.example.com", True),
        ("api.example.com", False),
        ("a.b.api.example.com", False),
        ("192.0.2.7", True),
        ("192.0.2.8", False),
        ("2001:db8:0::7", True),
        ("*.api.example.com", True),
    ],
)
def test_names_that_a_certificate_covers(host: str, covered: bool) -> None:
    """Names by letter but not by case, wildcards for one label, addresses in any spelling."""
    assert chain(LEAF).covers(host) is covered


def test_a_chain_in_order() -> None:
    """Leaf, intermediate, root: no fault, with or without the root."""
    key = LEAF.key.public_key()
    assert find_faults(chain(LEAF, INTERMEDIATE, ROOT), key, ("sre.example.com",)) == ()
    assert find_faults(chain(LEAF, INTERMEDIATE), key, ("sre.example.com",)) == ()


def test_everything_wrong_at_once() -> None:
    """All faults come together: another key, missing names, and each gap in the chain."""
    other_key = ROOT.key.public_key()
    found = find_faults(chain(LEAF, ROOT, INTERMEDIATE), other_key, ("elsewhere.example.com", "198.51.100.1", "sre.example.com"))
    assert [problem.code for problem in found] == [
        "TLS-KEY-MISMATCH",
        "TLS-NAME-MISSING",
        "TLS-NAME-MISSING",
        "TLS-CHAIN-BROKEN",
        "TLS-CHAIN-BROKEN",
    ]


def test_a_certificate_without_names() -> None:
    """The common name does not count, for us as for browsers; the Problem says that there are none."""
    nameless = leaf(ROOT)
    (problem,) = find_faults(chain(nameless), nameless.key.public_key(), ("leaf",))
    assert "no subject alternative names" in problem.why


def test_when_a_chain_ends() -> None:
    """It ends with the first of its certificates to end."""
    short = authority("short", ROOT)
    assert chain(LEAF, INTERMEDIATE).not_after == LEAF.certificate.not_valid_after_utc
    assert chain(short, LEAF).not_after == LEAF.certificate.not_valid_after_utc
    assert chain(LEAF).not_before < NOW < chain(LEAF).not_after


@pytest.mark.parametrize("text", ["", "no certificate", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"])
def test_a_text_that_is_no_chain(text: str) -> None:
    """Every unreadable text is a ValueError."""
    with pytest.raises(ValueError, match=r".+"):
        Chain.parse(text)


def test_what_tells_one_source_from_another() -> None:
    """The authority decides, if the chain has it; else the leaf. A server need not send the root."""
    other = leaf(INTERMEDIATE, "sre.example.com")
    assert chain(LEAF, INTERMEDIATE, ROOT).identity == chain(other, INTERMEDIATE, ROOT).identity
    assert chain(LEAF, INTERMEDIATE).identity != chain(other, INTERMEDIATE).identity
    assert chain(LEAF, INTERMEDIATE, ROOT).without_root() == chain(LEAF, INTERMEDIATE)
    assert chain(ROOT).without_root() == chain(ROOT)
