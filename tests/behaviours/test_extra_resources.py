"""What AWS and the state say differently: an extra resource of the deployment is deleted or adopted as the user decides, a resource of
another owner is left alone."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

import pytest

from behaviours import lister
from behaviours.command_line import Desk


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A deployment whose instance runs nothing; the last test deletes it, as far as it may."""
    desk = Desk(tmp_path_factory.mktemp("deployed"))
    desk.configure()
    desk.start_aws("--no-boot")
    assert "NOT verified" in desk.deploy("deploy").out
    yield desk
    desk.close()


def test_an_address_that_the_state_does_not_have(deployed: Desk) -> None:
    """`plan` and `deploy` show it and change nothing; `state delete` deletes it, `state adopt` puts it in the place of the other."""
    state = json.loads(deployed.state_file.read_text())
    ours, ec2 = state["records"]["address-1"]["id"], deployed.client("ec2")
    tags = [{"Key": "sre-agent:deployment-id", "Value": state["deployment"]}, {"Key": "sre-agent:resource", "Value": "address"}]

    def allocate() -> str:
        tagged = [{"ResourceType": "elastic-ip", "Tags": tags}]
        return str(ec2.allocate_address(Domain="vpc", TagSpecifications=tagged)["AllocationId"])

    def addresses() -> set[str]:
        return {address["AllocationId"] for address in ec2.describe_addresses()["Addresses"]}

    extra = allocate()
    plan = deployed.deploy("plan")
    line = f"! extra   {extra} (AWS::EC2::EIP, tagged as address, AWS does not show its age) carries the tag of this deployment"
    assert (plan.code, line in plan.out, f"state delete {extra}" in plan.err) == (1, True, True), plan.text
    refused = deployed.deploy("deploy")
    assert (refused.code, "EXTRA-RESOURCE" in refused.err, "Nothing was changed" in refused.text) == (1, True, True), refused.text

    assert re.search(rf"address +AWS::EC2::EIP +ready +{ours}", deployed.deploy("state", "list").out)
    assert "STATE-UNCONFIRMED" in deployed.deploy("state", "delete", extra).err
    assert "STATE-RECORDED" in deployed.deploy("state", "delete", ours, "--yes").err
    foreign = str(ec2.allocate_address(Domain="vpc")["AllocationId"])
    assert "STATE-NOT-OURS" in deployed.deploy("state", "delete", foreign, "--yes").err
    assert "STATE-NOT-OURS" in deployed.deploy("state", "adopt", "address", foreign, "--yes").err
    # AWS refuses to look for it: this can't be the id of a gateway.
    assert "STATE-NOT-OURS" in deployed.deploy("state", "adopt", "gateway", "XX", "--yes").err
    assert addresses() == {ours, extra, foreign}
    assert deployed.deploy("state", "delete", extra, "--yes").code == 0
    assert addresses() == {ours, foreign}
    assert deployed.deploy("plan").code == 0

    better = allocate()
    adopted = deployed.deploy("state", "adopt", "address", better, "--yes")
    assert f"instead of {ours}, which stays in AWS" in adopted.out, adopted.text
    plan = deployed.deploy("plan")
    assert f"! extra   {ours}" in plan.out, plan.text
    assert deployed.deploy("state", "forget", "address", "--yes").code == 0
    assert "EXTRA-RESOURCE" in deployed.deploy("deploy").err


def test_cleanup_of_a_deployment_of_another_owner(deployed: Desk) -> None:
    """A state file that was edited to name another owner's bucket deletes nothing of theirs, and says so."""
    s3 = deployed.client("s3")
    s3.create_bucket(Bucket="somebody-elses")
    s3.put_object(Bucket="somebody-elses", Key="precious", Body=b"data")
    text = deployed.state_file.read_text()
    bucket = next(name for name in lister.storage(deployed.client)["buckets"] if name.startswith("sre-"))
    edited = json.loads(text.replace(f'"id": "{bucket}"', '"id": "somebody-elses"'))
    del edited["checksum"]
    deployed.state_file.write_text(json.dumps(edited))

    shown = deployed.deploy("cleanup", "--dry-run")
    assert (shown.code, "CLEANUP-NOT-OURS" in shown.err, "somebody-elses" in shown.out) == (1, True, False), shown.text
    ended = deployed.deploy("cleanup", "--yes")
    assert ended.code == 1
    assert "CLEANUP-NOT-OURS" in ended.err
    assert s3.get_object(Bucket="somebody-elses", Key="precious")["Body"].read() == b"data"
