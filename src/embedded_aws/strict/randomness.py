"""Unpredictable ids and secrets."""

from __future__ import annotations

import secrets
import uuid
from random import Random, SystemRandom
from typing import Any

from embedded_aws.strict.patching import patch, replace


def use_system_randomness() -> None:
    """Use the random numbers of the system: moto uses a Mersenne Twister, which some hundred outputs give away."""
    from moto.ec2 import utils as ec2_utils
    from moto.iam import models as iam_models
    from moto.moto_api._internal.moto_random import MotoRandom

    source = SystemRandom()
    replace(MotoRandom, "random", lambda _self: source.random())
    replace(MotoRandom, "getrandbits", lambda _self, k: source.getrandbits(k))
    # Asked once for an id, not once for each letter: EC2 starts with a thousand ids of images, and IAM with 1,600 of policies.
    replace(ec2_utils, "random_resource_id", lambda size=8: secrets.token_hex(size)[:size])
    replace(iam_models, "random_policy_id", lambda: f"A{secrets.token_hex(10).upper()}")


def use_request_ids() -> None:
    """Give every response a UUID as its request id, as AWS does; moto uses 52 letters, or one constant."""
    from moto.core import responses
    from moto.core.serialize import SerializationContext

    # They are no secrets, and the system's random numbers cost a call of the kernel for each.
    source = Random()  # noqa: S311

    def create_id() -> str:
        return str(uuid.UUID(int=source.getrandbits(128), version=4))

    def for_headers(headers: dict[str, str]) -> str:
        return headers.get("x-amzn-requestid") or headers.setdefault("x-amzn-requestid", create_id())

    replace(responses, "gen_amzn_requestid_long", for_headers)

    @patch(SerializationContext, "__init__")
    def __init__(original: Any, self: Any, request_id: str | None = None) -> None:  # noqa: N807  # it is one
        original(self, request_id or create_id())
