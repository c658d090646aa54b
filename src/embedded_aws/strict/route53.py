"""Ids of hosted zones."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.patching import patch


def begin_zone_ids_with_z() -> None:
    """Begin the id of a hosted zone with Z; moto uses fifteen characters of any kind.

    https://docs.aws.amazon.com/Route53/latest/APIReference/API_CreateHostedZone.html
    """
    from moto.route53 import models

    @patch(models, "create_route53_zone_id")
    def create_route53_zone_id(original: Any, *args: Any, **kwargs: Any) -> str:
        return f"Z{original(*args, **kwargs)[1:]}"
