"""The modelled errors of the API: an operation raises one, and the control plane turns it into the HTTP response."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Violation:
    """One member of a request that breaks a constraint of the AWS model."""

    name: str
    message: str


@dataclass(eq=False)  # not frozen: Python sets the traceback of a raised exception
class ApiError(Exception):
    """An error as AWS sends it: its type in `x-amzn-ErrorType`, the rest as JSON."""

    type: str
    status: int
    message: str
    reason: str | None = None
    violations: tuple[Violation, ...] = field(default=())

    def to_json(self) -> dict[str, object]:
        """Return the body that goes with the header."""
        body: dict[str, object] = {"message": self.message}
        if self.reason:
            body["reason"] = self.reason
        if self.violations:
            body["fieldList"] = [{"name": each.name, "message": each.message} for each in self.violations]
        return body


def invalid(message: str, *violations: Violation, reason: str = "FieldValidationFailed") -> ApiError:
    """Return a ValidationException (400)."""
    return ApiError("ValidationException", 400, message, reason, violations)


def broken_constraints(violations: tuple[Violation, ...]) -> ApiError:
    """Return a ValidationException that lists every broken constraint, with AWS's text."""
    noun = "error" if len(violations) == 1 else "errors"
    listed = "; ".join(f"Value at '{each.name}' failed to satisfy constraint: {each.message}" for each in violations)
    return invalid(f"{len(violations)} validation {noun} detected: {listed}", *violations)


def unsupported_error(member: str, instead: str = "Leave it out.") -> ApiError:
    """Return a ValidationException for a feature that the local AWS can't enforce: accepting and ignoring it would prove nothing."""
    message = f"{member} is not supported by the local AWS. {instead}"
    return invalid(message, Violation(member, message))


def unparsable(message: str) -> ApiError:
    """Return a SerializationException: the body is no JSON, or a member has the wrong JSON type."""
    return ApiError("SerializationException", 400, message)


def conflict(message: str) -> ApiError:
    """Return a ConflictException (409)."""
    return ApiError("ConflictException", 409, message)


def not_found(message: str) -> ApiError:
    """Return a ResourceNotFoundException (404)."""
    return ApiError("ResourceNotFoundException", 404, message)


def over_quota(message: str) -> ApiError:
    """Return a ServiceQuotaExceededException; its status is 402, as in the AWS model."""
    return ApiError("ServiceQuotaExceededException", 402, message)
