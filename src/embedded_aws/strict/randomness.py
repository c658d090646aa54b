"""Ids and secrets that nobody can predict."""

from __future__ import annotations

from random import SystemRandom

from embedded_aws.strict.replacing import put


def unpredictable() -> None:
    """moto draws access keys and app client secrets from a Mersenne Twister, which some hundred outputs give away."""
    from moto.moto_api._internal.moto_random import MotoRandom

    source = SystemRandom()
    put(MotoRandom, "random", lambda _self: source.random())
    put(MotoRandom, "getrandbits", lambda _self, k: source.getrandbits(k))
