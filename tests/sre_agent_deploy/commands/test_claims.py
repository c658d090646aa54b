"""Where the state file is lost, or in another folder, the messages lead to the deployments that this machine knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from sre_agent_deploy.account import local
from sre_agent_deploy.cli.root import main
from sre_agent_deploy.commands.claims import list_claims, record_claim
from sre_agent_deploy.commands.workspace import find_ignored_region
from sre_agent_deploy.config.models import Config
from sre_agent_deploy.tls.local_ca import open_local_ca
from sre_core import exit_codes

ID = "sre-0123456789"
PRODUCTION = """
aws:
  account_id: "123456789012"
deployment:
  domain_name: sre.example.com
  ssl_cert_path: c.pem
  ssl_key_path: k.pem
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and a state folder of its own."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("SRE_AGENT_STATE_DIR", str(tmp_path / "state-folder"))
    return folder


def run(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    with pytest.raises(SystemExit) as ended:
        main([*words])
    said = capsys.readouterr()
    return int(ended.value.code or 0), said.out + said.err


@pytest.mark.parametrize("command", ["status", "history", "resume", "unlock"])
def test_the_wrong_folder(command: str, folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The state files that this machine knows are named first; nothing is left in the folder."""
    there = tmp_path / "there"
    there.mkdir()
    (there / ".deployment_state").write_text("{}")
    record_claim(ID, str(there / ".deployment_state"), "local")
    record_claim("sre-9999999999", str(tmp_path / "gone" / ".deployment_state"))
    code, said = run(capsys, command)
    assert (code, "STATE-NOT-FOUND" in said) == (1, True), said
    assert f"do:  Go to {there}, or add --state-file {there}/.deployment_state (deployment {ID})." in said
    assert "sre-9999999999" not in said
    assert list(folder.iterdir()) == []


def test_cleanup_without_a_state(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The known deployments are named, and the id of the configuration in the folder; without either, how to list them."""
    code, said = run(capsys, "cleanup", "--yes")
    assert (code, "CLEANUP-WHICH" in said, "--older-than 1s --dry-run`" in said) == (1, True, True), said
    record_claim(ID, "/lost/.deployment_state", "local")
    (folder / "config.yaml").write_text(PRODUCTION)
    _, said = run(capsys, "cleanup", "--yes")
    assert f"This machine knows: {ID} (local mode, state file /lost/.deployment_state)." in said
    assert "do:  To delete the deployment of config.yaml: `sre-agent-deploy cleanup --deployment-id sre-" in said


def test_what_is_no_id(capsys: pytest.CaptureFixture[str]) -> None:
    """`status` can't show an id where the state file is lost, so the known ones are named."""
    record_claim(ID, "/lost/.deployment_state", "local")
    _, said = run(capsys, "cleanup", "--deployment-id", "sre-", "--yes")
    assert ("CLEANUP-NO-ID" in said, ID in said, "status" in said) == (True, True, False), said


def test_a_local_deployment_without_a_configuration(capsys: pytest.CaptureFixture[str]) -> None:
    """It is looked for in the local AWS, not in an account that would need credentials."""
    record_claim(ID, "/lost/.deployment_state", "local")
    code, said = run(capsys, "cleanup", "--deployment-id", ID, "--yes")
    assert (code, "LOCAL-AWS-GONE" in said, "AWS-CREDENTIALS" in said) == (1, True, False), said
    assert not local.has_note(ID)


def test_a_note_of_a_version_before(tmp_path: Path) -> None:
    """A claim without a mode can still be read; one that can't be read is left out."""
    claims = tmp_path / "state-folder" / "claims"
    claims.mkdir(parents=True)
    (claims / f"{ID}.json").write_text('{"who": "ada", "host": "h", "since": "2026-01-01T00:00:00Z", "state_file": "/a"}')
    (claims / "sre-1111111111.json").write_text("{")
    assert {name: claim.mode for name, claim in list_claims().items()} == {ID: ""}


def test_one_kind_of_file_given_for_the_other(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each is recognised and left as it is, with the option that takes it."""
    config, state = folder / "local.yaml", folder / ".deployment_state"
    config.write_text("mode: local\n")
    code, said = run(capsys, "cleanup", "--state-file", "local.yaml", "--yes")
    assert (code, "STATE-IS-CONFIG" in said, f"`--config {config}`" in said, "mv " in said) == (1, True, True, False), said
    state.write_text('{"deployment": "sre-1", "schema": 1, "records": {}, "secret_key": "x"}')
    code, said = run(capsys, "validate", "--config", ".deployment_state")
    assert (code, "CONFIG-IS-STATE" in said, "1 fault in" in said) == (1, True, True), said
    assert "`--state-file .deployment_state`" in said
    (folder / "README.md").write_text("# A title\n\nText: with: colons.\n")
    _, said = run(capsys, "validate", "--config", "README.md")
    assert "README.md is not a configuration (YAML or JSON)." in said


def test_paths_that_are_misspelled(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that does not exist, and one in place of a file; the wrong folder is the first thing to think of."""
    (folder / "examples").mkdir()
    (folder / "examples" / "local.yaml").write_text("mode: local\n")
    _, said = run(capsys, "validate", "--config", "exmaples/local.yaml")
    assert "There is no folder exmaples; did you mean examples?" in said
    _, said = run(capsys, "validate", "--config", "examples")
    assert "Name one of its files: examples/local.yaml" in said
    _, said = run(capsys, "plan")
    assert "do:  If you are in the wrong folder, change to the one with config.yaml" in said


def test_a_misspelled_command(capsys: pytest.CaptureFixture[str]) -> None:
    """The nearest command is named."""
    code, said = run(capsys, "clenup")
    assert (code, "Did you mean cleanup?" in said) == (exit_codes.USAGE, True), said


def test_files_that_are_not_there(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`validate` says which named files this machine lacks; the configuration is valid on the machine that has them."""
    (folder / "config.yaml").write_text(PRODUCTION)
    (folder / "c.pem").write_text("")
    code, said = run(capsys, "validate")
    assert (code, "ssl_cert_path" in said) == (0, False), said
    assert "deployment.ssl_key_path: k.pem can't be read on this machine" in said


def test_a_certificate_that_nobody_accepts(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without any AWS, `validate` says what is wrong with the files that are here: chain, name and key."""
    (folder / "config.yaml").write_text(PRODUCTION)
    issued, other = open_local_ca(folder / "ca").issue(("elsewhere.example",)), open_local_ca(folder / "other").issue(("x",))
    (folder / "c.pem").write_text(issued.chain)
    (folder / "k.pem").write_text(other.private_key.reveal())
    code, said = run(capsys, "validate")
    assert code == 1
    assert {line.split(":")[0] for line in said.splitlines() if line.startswith("TLS-")} == {"TLS-KEY-MISMATCH", "TLS-NAME-MISSING"}
    (folder / "c.pem").write_text((folder / "ca" / "ca.pem").read_text())
    assert "TLS-SELF-SIGNED" in run(capsys, "validate")[1]


def test_a_local_configuration_for_production(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The option overrides the file, which is said first; what is missing is shown under its section."""
    (folder / "config.yaml").write_text("mode: local\n")
    _, said = run(capsys, "validate", "--mode", "production")
    assert "why: --mode production overrides `mode: local` of the file." in said
    assert "do:  Add it, like this:\n         aws:\n           account_id: 123456789012\n" in said


def test_a_misspelled_section_with_a_misspelled_field(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Both are reported at once, each at its line."""
    (folder / "config.yaml").write_text("mode: local\nawss:\n  regoin: us-east-1\n")
    _, said = run(capsys, "validate")
    assert ("Did you mean aws?" in said, "Did you mean region?" in said, "config.yaml:3:3" in said) == (True, True, True), said


def test_a_region_of_the_environment_that_is_not_used() -> None:
    """Both regions are named; nothing is said where the configuration chose one."""
    chosen = Config.model_validate({"mode": "production", "aws": {"region": "eu-west-1"}})
    default = Config.model_validate({"mode": "production"})
    said = find_ignored_region(default, {"AWS_REGION": "eu-central-1"})
    assert "AWS_REGION is eu-central-1 and is not used: the region is us-east-1" in said
    assert find_ignored_region(chosen, {"AWS_REGION": "eu-central-1"}) == find_ignored_region(default, {}) == ""
