"""A resource that has the deployment's tag and is not in its state is shown, and deleted or adopted as the user decides."""

from __future__ import annotations

import json
import re

from behaviours.command_line import Desk


def test_an_address_that_the_state_does_not_have(desk: Desk) -> None:
    """`plan` and `deploy` show it and change nothing; `state delete` deletes it, `state adopt` puts it in the place of the other."""
    desk.start_aws("--no-boot")
    assert "NOT verified" in desk.deploy("deploy").out
    state = json.loads(desk.state_file.read_text())
    ours, ec2 = state["records"]["address-1"]["id"], desk.client("ec2")
    tags = [{"Key": "sre-agent:deployment-id", "Value": state["deployment"]}, {"Key": "sre-agent:resource", "Value": "address"}]

    def allocate() -> str:
        tagged = [{"ResourceType": "elastic-ip", "Tags": tags}]
        return str(ec2.allocate_address(Domain="vpc", TagSpecifications=tagged)["AllocationId"])

    def addresses() -> set[str]:
        return {address["AllocationId"] for address in ec2.describe_addresses()["Addresses"]}

    extra = allocate()
    plan = desk.deploy("plan")
    line = f"! extra   {extra} (AWS::EC2::EIP, tagged as address, AWS does not show its age) carries the tag of this deployment"
    assert (plan.code, line in plan.out, f"state delete {extra}" in plan.err) == (1, True, True), plan.text
    refused = desk.deploy("deploy")
    assert (refused.code, "EXTRA-RESOURCE" in refused.err, "Nothing was changed" in refused.text) == (1, True, True), refused.text

    assert re.search(rf"address +AWS::EC2::EIP +ready +{ours}", desk.deploy("state", "list").out)
    assert "STATE-UNCONFIRMED" in desk.deploy("state", "delete", extra).err
    assert "STATE-RECORDED" in desk.deploy("state", "delete", ours, "--yes").err
    foreign = str(ec2.allocate_address(Domain="vpc")["AllocationId"])
    assert "STATE-NOT-OURS" in desk.deploy("state", "delete", foreign, "--yes").err
    assert "STATE-NOT-OURS" in desk.deploy("state", "adopt", "address", foreign, "--yes").err
    # AWS refuses to look for it: this can't be the id of a gateway.
    assert "STATE-NOT-OURS" in desk.deploy("state", "adopt", "gateway", "XX", "--yes").err
    assert addresses() == {ours, extra, foreign}
    assert desk.deploy("state", "delete", extra, "--yes").code == 0
    assert addresses() == {ours, foreign}
    assert desk.deploy("plan").code == 0

    better = allocate()
    adopted = desk.deploy("state", "adopt", "address", better, "--yes")
    assert f"instead of {ours}, which stays in AWS" in adopted.out, adopted.text
    plan = desk.deploy("plan")
    assert f"! extra   {ours}" in plan.out, plan.text
    assert desk.deploy("state", "forget", "address", "--yes").code == 0
    assert "EXTRA-RESOURCE" in desk.deploy("deploy").err
