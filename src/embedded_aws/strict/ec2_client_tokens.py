"""RunInstances and its client token."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.replacing import replacing


def honoured() -> None:
    """The same token with the same parameters is the same reservation; with others it is IdempotentParameterMismatch.

    https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-idempotency.html
    """
    from moto.core.responses import ActionResult
    from moto.ec2.exceptions import EC2ClientError
    from moto.ec2.responses.instances import InstanceResponse

    launched: dict[tuple[str, str], tuple[str, Any]] = {}

    @replacing(InstanceResponse, "run_instances")
    def run_instances(original: Any, self: Any) -> Any:
        token = self._get_param("ClientToken")
        if not token:
            return original(self)
        parameters = _fingerprint(self)
        if known := launched.get((self.region, token)):
            if known[0] != parameters:
                raise EC2ClientError("IdempotentParameterMismatch", "The client token was used with different parameters.")
            return ActionResult(known[1])
        answer = original(self)
        launched[self.region, token] = (parameters, answer.result)
        return answer


def _fingerprint(response: Any) -> str:
    """All parameters that say what to launch."""
    sent = {name: values for name, values in response.data.items() if name not in ("ClientToken", "DryRun")}
    return repr(sorted(sent.items()))


def found_again() -> None:
    """DescribeInstances filters by client token, which is how a launch whose answer was lost is found.

    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
    """
    from moto.ec2.utils import filter_dict_attribute_mapping

    filter_dict_attribute_mapping["client-token"] = "client_token"
