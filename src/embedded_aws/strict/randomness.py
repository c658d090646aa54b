"""Unpredictable ids and secrets."""

from __future__ import annotations

import uuid
from random import SystemRandom
from typing import Any

from embedded_aws.strict.patching import patch, replace


def use_system_randomness() -> None:
    """Use the random numbers of the system: moto uses a Mersenne Twister, which some hundred outputs give away."""
    from moto.moto_api._internal.moto_random import MotoRandom

    source = SystemRandom()
    replace(MotoRandom, "random", lambda _self: source.random())
    replace(MotoRandom, "getrandbits", lambda _self, k: source.getrandbits(k))


def use_request_ids() -> None:
    """Give every response a UUID as its request id, as AWS does; moto uses 52 letters, or one constant."""
    from moto.core import responses
    from moto.core.serialize import SerializationContext

    def for_headers(headers: dict[str, str]) -> str:
        return headers.setdefault("x-amzn-requestid", str(uuid.uuid4()))

    replace(responses, "gen_amzn_requestid_long", for_headers)

    @patch(SerializationContext, "__init__")
    def __init__(original: Any, self: Any, request_id: str | None = None) -> None:  # noqa: N807  # it is one
        original(self, request_id or str(uuid.uuid4()))
