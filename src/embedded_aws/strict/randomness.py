"""Ids and secrets that nobody can predict."""

from __future__ import annotations

import uuid
from random import SystemRandom
from typing import Any

from embedded_aws.strict.replacing import put, replacing


def unpredictable() -> None:
    """moto draws access keys and app client secrets from a Mersenne Twister, which some hundred outputs give away."""
    from moto.moto_api._internal.moto_random import MotoRandom

    source = SystemRandom()
    put(MotoRandom, "random", lambda _self: source.random())
    put(MotoRandom, "getrandbits", lambda _self, k: source.getrandbits(k))


def request_ids() -> None:
    """Every answer has a request id of its own, by which a log finds it; moto writes the same word into most."""
    from moto.core.serialize import SerializationContext

    @replacing(SerializationContext, "__init__")
    def __init__(original: Any, self: Any, request_id: str | None = None) -> None:  # noqa: N807  # it is one
        original(self, request_id or str(uuid.uuid4()))
