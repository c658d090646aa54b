"""Calls whose request or answer needs more than botocore gives: updates that replace everything, and answers that hide errors."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any


def update_fields(client: Any, operation: str, seen: Mapping[str, Any]) -> dict[str, Any]:
    """Select the settings of `seen` that `operation` takes, so that an update of a few resets none of the others.

    AWS sets every member that is left out back to its default; the service model says which members there are.
    """
    takes = client.meta.service_model.operation_model(operation).input_shape.members
    return {key: value for key, value in seen.items() if key in takes}


def read_together(*reads: Callable[[], Any]) -> list[Any]:
    """Make several reads at the same time and return their results in order: AWS shows the settings of some things one by one."""
    with ThreadPoolExecutor(len(reads)) as pool:
        return list(pool.map(lambda read: read(), reads))


def raise_first_error(operation: str, answers: Iterable[Mapping[str, Any]]) -> None:
    """Read all answers that say 200 and may list errors; then raise the first error as if AWS had refused the call with it."""
    from botocore.exceptions import ClientError

    errors = [(error, answer) for answer in answers for error in answer.get("Errors", ())]
    if errors:
        error, answer = errors[0]
        said = {"Code": error.get("Code", ""), "Message": f"{error.get('Key', '')}: {error.get('Message', '')}"}
        raise ClientError({"Error": said, "ResponseMetadata": answer["ResponseMetadata"]}, operation)  # type: ignore[typeddict-item]
