"""Property 7 over real certificates: each fault is found, and the owner learns in time what to do."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import Literal

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from hypothesis import given
from hypothesis import strategies as st

from sre_agent_deploy.tls import expiry
from sre_agent_deploy.tls.chain import Chain
from sre_agent_deploy.tls.files import judge_chain

from .certificates import NOW, Key, Party, authority, leaf

HOST = "sre.example.com"
ROOT = authority("root")
MIDDLE = authority("intermediate", ROOT)
STRANGER = authority("stranger")
type Kind = Literal["EC", "RSA"]

# Fault -> the code that reports it.
CODES = {
    "nothing": "",
    "expired": "TLS-EXPIRED",
    "not yet valid": "TLS-NOT-YET-VALID",
    "wrong name": "TLS-NAME-MISSING",
    "self-signed": "TLS-SELF-SIGNED",
    "broken chain": "TLS-CHAIN-BROKEN",
    "weak key": "TLS-TOO-WEAK",
    "SHA-1": "TLS-TOO-WEAK",
    "mismatched key": "TLS-KEY-MISMATCH",
}


@cache
def key_of(kind: Kind, *, weak: bool = False, number: int = 0) -> Key:
    """A key, made once: RSA takes its time."""
    if kind == "EC":
        return ec.generate_private_key(ec.SECP192R1() if weak else ec.SECP256R1())
    return rsa.generate_private_key(65537, 1024 if weak else 2048)


@cache
def rsa_authority() -> Party:
    return authority("rsa", key=key_of("RSA"))


def as_if_sha1(certificate: x509.Certificate) -> x509.Certificate:
    """Name SHA-1 instead of SHA-256: no library signs with it any more, and a check that reads the name does not verify the signature."""
    pkcs1 = bytes.fromhex("2a864886f70d0101")
    return x509.load_der_x509_certificate(certificate.public_bytes(Encoding.DER).replace(pkcs1 + b"\x0b", pkcs1 + b"\x05"))


@dataclass(frozen=True)
class Made:
    """A generated certificate, and what is true of it."""

    wrong: str
    chain: Chain
    key: Key
    begins: timedelta
    ends: timedelta


@st.composite
def certificates(draw: st.DrawFn) -> Made:
    wrong, kind = draw(st.sampled_from(sorted(CODES))), draw(st.sampled_from(("EC", "RSA")))
    life = timedelta(days=draw(st.sampled_from((6, 45, 90, 365))))
    age = life * draw(st.floats(0, 0.999))
    if wrong == "expired":
        age = life + timedelta(days=draw(st.integers(0, 400)))
    elif wrong == "not yet valid":
        age = -timedelta(days=draw(st.integers(1, 400)))
    key = key_of(kind, weak=wrong == "weak key")
    issuer = {"self-signed": None, "SHA-1": rsa_authority()}.get(wrong, MIDDLE)
    host = "other.example.com" if wrong == "wrong name" else HOST
    made = leaf(issuer, host, life=life - age, starts=-age, key=key)
    above: tuple[Party, ...] = () if issuer is None else (STRANGER,) if wrong == "broken chain" else (issuer,)
    signed = as_if_sha1(made.certificate) if wrong == "SHA-1" else made.certificate
    chain = Chain((signed, *(each.certificate for each in above)))
    return Made(wrong, chain, key_of(kind, number=1) if wrong == "mismatched key" else key, -age, life - age)


@pytest.mark.property(7)
@given(made=certificates(), source=st.sampled_from(("local_ca", "files")))
def test_any_certificate_is_watched(made: Made, source: expiry.Source) -> None:
    """**Feature: aws-ec2-production-deployment, Property 7: Certificate Monitoring**

    For any SSL certificate, the system should monitor expiration dates and provide warnings with renewal guidance before
    certificates expire.

    What is wrong with it is found by its own code, and nothing else; in its last 30 days, or third of a shorter life, it is warned of
    with the renewal of its source.
    """
    problems = judge_chain(made.chain, made.key.public_key(), None, (HOST,), NOW)
    assert {problem.code for problem in problems} == {CODES[made.wrong]} - {""}
    assert all(problem.what and problem.why and problem.do for problem in problems)
    begins, ends = made.chain.leaf.not_valid_before_utc, made.chain.not_after
    warning = expiry.judge_expiry(HOST, begins, ends, NOW, source)
    due = ends - NOW <= min(timedelta(days=30), (ends - begins) / 3)
    assert (warning is not None and warning.code != "TLS-NOT-YET-VALID") is due
    assert not due or (warning and warning.do == expiry.renewal_steps(source))
