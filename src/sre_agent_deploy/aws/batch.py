"""Answers that say 200 and yet tell of failures, one by one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


def all_done(operation: str, answers: Iterable[Mapping[str, Any]]) -> None:
    """Let every answer come, then raise the first error that one of them tells, as if AWS had refused the call with it."""
    from botocore.exceptions import ClientError

    errors = [(error, answer) for answer in answers for error in answer.get("Errors", ())]
    if errors:
        error, answer = errors[0]
        told = {"Code": error.get("Code", ""), "Message": f"{error.get('Key', '')}: {error.get('Message', '')}"}
        raise ClientError({"Error": told, "ResponseMetadata": answer["ResponseMetadata"]}, operation)  # type: ignore[typeddict-item]
