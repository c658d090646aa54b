"""User data writes two files and runs one of them."""

from __future__ import annotations

import ast
import dataclasses
import json

from ruamel.yaml import YAML

from fixtures.machines import ENVIRONMENT, make_machine
from sre_agent_deploy.instance.user_data import LARGEST, render_user_data
from sre_core.machine import Machine


def parsed(machine: Machine) -> dict:
    return YAML(typ="safe", pure=True).load(render_user_data(machine))


def test_the_files_it_writes(machine: Machine) -> None:
    """machine.json is the machine, and the program that is run is written and executable."""
    document = parsed(machine)
    files = {file["path"]: file for file in document["write_files"]}
    assert json.loads(files["/etc/sre-agent/machine.json"]["content"]) == machine.to_json()
    assert document["runcmd"] == [["python3", "/opt/sre-agent/first_stage.py"]]
    assert files["/opt/sre-agent/first_stage.py"]["permissions"] == "0755"


def test_its_program_runs_on_old_pythons(machine: Machine) -> None:
    """Amazon Linux 2023 starts with Python 3.9: the program's grammar is not newer."""
    (_, program) = parsed(machine)["write_files"]
    ast.parse(program["content"], feature_version=(3, 9))


def test_it_fits(machine: Machine) -> None:
    """EC2 takes 16 KB; long names leave room."""
    long = make_machine(environment=dict.fromkeys(ENVIRONMENT, "x" * 250), domain="d" * 253)
    assert len(render_user_data(long).encode()) < LARGEST
    assert render_user_data(machine) == render_user_data(dataclasses.replace(machine))


def test_values_that_are_not_known_yet(machine: Machine) -> None:
    """A reference keeps its spelling, so that it is found and replaced later."""
    spelled = "\N{MATHEMATICAL LEFT WHITE SQUARE BRACKET}gateway.url\N{MATHEMATICAL RIGHT WHITE SQUARE BRACKET}"
    assert spelled in render_user_data(dataclasses.replace(machine, release_uri=spelled))
