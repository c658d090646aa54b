"""Systems Manager: what Patch Manager says of instances that it has not scanned."""

from __future__ import annotations

from typing import Any

from embedded_aws.strict.patching import add


def list_no_patch_states() -> None:
    """Answer DescribeInstancePatchStates with an empty list, as AWS does for instances that were never scanned; moto lacks it.

    https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_DescribeInstancePatchStates.html
    """
    from moto.core.responses import ActionResult
    from moto.ssm.responses import SimpleSystemManagerResponse

    def describe_instance_patch_states(_self: Any) -> ActionResult:
        return ActionResult({"InstancePatchStates": []})

    add(SimpleSystemManagerResponse, describe_instance_patch_states.__name__, describe_instance_patch_states)
