"""For AWS's Update calls that replace everything: what they must be told again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def carried(client: Any, operation: str, seen: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of `seen` that `operation` takes, so that an update of a few resets none of the others.

    AWS sets every member that is left out back to its default; the service model says which members there are.
    """
    takes = client.meta.service_model.operation_model(operation).input_shape.members
    return {key: value for key, value in seen.items() if key in takes}
