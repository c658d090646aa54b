"""Names and limits that packages which don't import one another must spell alike."""

from __future__ import annotations

import json
from importlib.resources import files

from embedded_aws.compute import PORT_TAG as WRITTEN_PORT_TAG
from embedded_aws.instances.proxy import LARGEST_BODY as BUILT_IN_LARGEST_BODY
from sre_agent_deploy.instance import first_stage, nginx
from sre_agent_deploy.resources.ec2_elastic_ip import PORT_TAG as READ_PORT_TAG
from sre_core import release
from sre_core.machine import MACHINE_FILE
from sre_services.application import NAMES
from sre_services.auth import HEALTH_PATH


def test_the_tag_that_says_which_port_443_is() -> None:
    """The embedded AWS puts it on an Elastic IP, and the deployer reads it there."""
    assert WRITTEN_PORT_TAG == READ_PORT_TAG


def test_where_machine_json_is() -> None:
    """User data writes it where the first stage, which can import nothing, reads it."""
    assert MACHINE_FILE == first_stage.MACHINE_FILE


def test_how_large_a_body_may_be() -> None:
    """nginx and the built-in front door refuse at the same size."""
    assert nginx.LARGEST_BODY == BUILT_IN_LARGEST_BODY


def test_the_backends_of_a_release() -> None:
    """Each is started by its name, has a title, and is asked for its health where it answers."""
    backends = release.backends()
    assert {service.command for service in backends} == {("-m", "sre_services", name) for name in NAMES}
    assert {service.health_path for service in backends} == {HEALTH_PATH}


def test_the_number_of_tools() -> None:
    """Verification expects one tool for each operation of the backends: else no deployment is ever verified."""
    documents = [json.loads((files("sre_services") / name / "openapi.json").read_text(encoding="utf-8")) for name in NAMES]
    operations = [operation for document in documents for path in document["paths"].values() for operation in path.values()]
    assert len(operations) == release.count_tools()
