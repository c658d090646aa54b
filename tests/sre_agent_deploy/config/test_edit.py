"""One value changes; every other character of the file stays."""

from __future__ import annotations

import difflib

import pytest

from sre_agent_deploy.config.edit import parse_path, parse_value, put, rename_key
from sre_core.problem import Problem

TEXT = """\
# head
aws:   # where
  region: 'eu-west-1'  # near us
  role_name:   # none yet

# machine
deployment:
    instance_type: "t3.xlarge"  # enough
    ssh_cidrs:   # who may
      # the office
      - 203.0.113.0/24  # floor 1
      - 198.51.100.0/24
    # below the list

tags: {team: platform,
  # inside
  cost: "17"}  # for billing
credentials:
# end
"""


def lines_of_change(before: str, after: str) -> tuple[list[str], list[str]]:
    changes = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    return [line[2:] for line in changes if line[0] == "-"], [line[2:] for line in changes if line[0] == "+"]


@pytest.mark.parametrize(
    ("key", "value", "removed", "added"),
    [
        ("aws.region", "us-east-1", ["  region: 'eu-west-1'  # near us"], ["  region: 'us-east-1'  # near us"]),
        ("aws.region", "it's", ["  region: 'eu-west-1'  # near us"], ["  region: 'it''s'  # near us"]),
        ("aws.role_name", "sre", ["  role_name:   # none yet"], ["  role_name: sre   # none yet"]),
        (
            "deployment.instance_type",
            "m6i.xlarge",
            ['    instance_type: "t3.xlarge"  # enough'],
            ['    instance_type: "m6i.xlarge"  # enough'],
        ),
        ("deployment.domain_name", "sre.example.com", [], ["    domain_name: sre.example.com"]),
        (
            "deployment.ssh_cidrs",
            "[192.0.2.0/24]",
            ["    ssh_cidrs:   # who may", "      - 203.0.113.0/24  # floor 1", "      - 198.51.100.0/24"],
            ["    ssh_cidrs: [192.0.2.0/24]   # who may", "      # floor 1"],
        ),
        ("tags.team", "a: b", ["tags: {team: platform,"], ['tags: {team: "a: b",']),
        ("tags.kubernetes.io/x", "y", ['  cost: "17"}  # for billing'], ['  cost: "17",', "  kubernetes.io/x: y}  # for billing"]),
        (
            "tags",
            "{a: b}",
            ["tags: {team: platform,", "  # inside", '  cost: "17"}  # for billing'],
            ["tags: {a: b}  # for billing", "# inside"],
        ),
        ("credentials.client_secret", "env:X", [], ["  client_secret: env:X"]),
        ("gateway.description", "# no comment", [], ["gateway:", '  description: "# no comment"']),
        ("aws.account_id", "012345678901", [], ['  account_id: "012345678901"']),
    ],
)
def test_one_value_changes(key: str, value: str, removed: list[str], added: list[str]) -> None:
    """Only its own lines differ; quotes, alignment and every comment stay."""
    edited = put(TEXT, parse_path(key), parse_value(value))
    assert isinstance(edited, str), edited
    assert lines_of_change(TEXT, edited) == (removed, added)


def test_line_ends_stay() -> None:
    """A file from Windows remains one."""
    edited = put("aws:\r\n  region: a\r\n", ("aws", "role_name"), "b")
    assert edited == "aws:\r\n  region: a\r\n  role_name: b\r\n"


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("aws.region", "b", '{\n\t"aws": {\n\t\t"region": "b"\n\t}\n}\n'),
        ("aws.role_name", "b", '{\n\t"aws": {\n\t\t"region": "a",\n\t\t"role_name": "b"\n\t}\n}\n'),
        ("tags", "{x: y}", '{\n\t"aws": {\n\t\t"region": "a"\n\t},\n\t"tags": {"x": "y"}\n}\n'),
    ],
)
def test_json_stays_json(key: str, value: str, expected: str) -> None:
    """In JSON everything is quoted, and new entries have the same form as the others."""
    assert put('{\n\t"aws": {\n\t\t"region": "a"\n\t}\n}\n', parse_path(key), parse_value(value)) == expected


@pytest.mark.parametrize("text", ["", "# only a comment", "{}", "aws:\n", "aws: {}\n", "---\naws:\n  region: a\n"])
def test_anything_can_be_begun(text: str) -> None:
    """An empty file, an empty section and an empty pair of braces take their first value."""
    edited = put(text, ("aws", "role_name"), "b")
    assert isinstance(edited, str), edited
    assert all(line in edited for line in text.splitlines() if line.startswith("#"))


@pytest.mark.parametrize("text", ["aws: [a]\n", "aws: word\n", "aws: &x\n  region: a\n", "aws: {", "aws:\n  region: a\n...\n"])
def test_what_cannot_be_edited_is_refused(text: str) -> None:
    """A list where a section should be, a broken file: a Problem with a next step, never a damaged text."""
    refused = put(text, ("gateway" if "..." in text else "aws", "role_name"), "b")
    assert isinstance(refused, Problem)
    assert refused.code == "EDIT-UNSAFE"


def test_a_key_gets_another_name() -> None:
    """Its value and its comment stay where they are."""
    assert rename_key(TEXT, ("aws", "region"), "home") == TEXT.replace("region:", "home:")
    assert rename_key(TEXT, ("aws", "absent"), "home") == TEXT
