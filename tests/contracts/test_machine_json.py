"""The deployer writes machine.json into user data; the instance host and the bootstrap read it. Neither imports the other."""

from __future__ import annotations

from embedded_aws.instances.user_data import find_written_file
from fixtures.machines import ENVIRONMENT, make_machine
from sre_agent_deploy.instance.user_data import render_user_data
from sre_core.machine import MACHINE_FILE, Machine


def test_what_is_written_is_what_is_read() -> None:
    """Through the user data, the host understands every service, credential, listener and route as it was written."""
    written = make_machine(environment=dict.fromkeys(ENVIRONMENT, "v: 'quoted' # not a comment"))
    assert Machine.parse(find_written_file(render_user_data(written).encode(), MACHINE_FILE) or "") == written
