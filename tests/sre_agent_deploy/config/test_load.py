"""Formats of a configuration, and the sources of its values."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config
from sre_core.problem import Problem

type ConfigOf = Callable[..., Config]
type ProblemsOf = Callable[..., tuple[Problem, ...]]

EXAMPLES = Path(__file__).parents[3] / "examples"


def test_the_local_example() -> None:
    """The smallest configuration deploys on this machine, with a certificate authority of its own."""
    config = load(EXAMPLES / "local.yaml", environ={}, mode="local")
    assert isinstance(config, Config)
    assert (config.mode, config.tls.source, config.services.recording) == ("local", "local_ca", "crash-loop")


def test_the_production_example() -> None:
    """The production example needs one environment variable, and nothing else to be valid."""
    config = load(EXAMPLES / "production.yaml", environ={"AWS_ACCOUNT_ID": "123456789012"}, mode="production")
    assert isinstance(config, Config)
    assert (config.aws.account_id, config.tls.source, config.aws.endpoint_url) == ("123456789012", "files", "")


def test_an_account_id_without_quotes(config_of: ConfigOf) -> None:
    """Its leading zero stays: fields are read as text, not as YAML's numbers."""
    assert config_of("aws:\n  account_id: 012345678901\n").aws.account_id == "012345678901"


def test_a_word_that_older_yaml_reads_as_false(config_of: ConfigOf) -> None:
    """`no` is a text where a text is asked for, and false where a flag is."""
    config = config_of("tags:\n  backup: no\ngateway:\n  search: no\n")
    assert (config.tags["backup"], config.gateway.search) == ("no", False)


def test_fields_and_sections_that_are_left_empty(config_of: ConfigOf) -> None:
    """Empty means the default, however it is written."""
    assert config_of("aws:\ngateway:\n  description:\n  s3_path_prefix: ''\ntags: ~\n", mode="local") == config_of("", mode="local")


def test_json(config_of: ConfigOf) -> None:
    """The same configuration as JSON, even indented with tabs and with escapes."""
    text = '{\n\t"gateway": {\n\t\t"search": true, "description": "\\u0053RE \\ud83d\\ude80"\n\t}\n}\n'
    config = config_of(text, name="config.json")
    assert (config.gateway.search, config.gateway.description) == (True, "SRE \N{ROCKET}")


def test_a_reference_to_the_environment(config_of: ConfigOf) -> None:
    """${NAME} is its value, ${NAME:-default} its value or the default, $${ the characters themselves."""
    config = config_of(
        "aws:\n  region: ${REGION}\n  role_name: ${PREFIX:-sre}-gateway\ngateway:\n  description: $${NAME}\n",
        environ={"REGION": "eu-west-1"},
    )
    assert (config.aws.region, config.aws.role_name, config.gateway.description) == ("eu-west-1", "sre-gateway", "${NAME}")


def test_a_dotenv_file_beside_the_configuration(config_of: ConfigOf, tmp_path: Path) -> None:
    """It gives what the environment does not; the environment wins."""
    (tmp_path / ".env").write_text('# mine\nexport REGION=\'eu-west-1\' # Ireland\nROLE="sre\\"x"\nPLAIN=from-dotenv\n', encoding="utf-8")
    text = "aws:\n  region: ${REGION}\n  role_name: ${PLAIN}\n"
    assert config_of(text).aws.region == "eu-west-1"
    assert config_of(text, environ={"PLAIN": "from-environment"}).aws.role_name == "from-environment"


def test_a_dotenv_file_that_is_broken(problems_of: ProblemsOf, tmp_path: Path) -> None:
    """The line is named, and never shown: it may have a secret."""
    (tmp_path / ".env").write_text("GOOD=1\nTOKEN='planted-secret\n", encoding="utf-8")
    (problem,) = problems_of("version: 1\n")
    assert (problem.code, str(problem.where)) == ("CONFIG-DOTENV", f"{tmp_path / '.env'}:2:1")
    assert "planted" not in str(problem)


def test_an_override(config_of: ConfigOf) -> None:
    """SRE_AGENT__SECTION__FIELD wins over the file; lists are written as in YAML; tags keep their case."""
    environ = {
        "SRE_AGENT__AWS__REGION": "eu-west-1",
        "SRE_AGENT__DEPLOYMENT__SSH_CIDRS": "[203.0.113.0/24, 198.51.100.0/24]",
        "SRE_AGENT__TAGS__Team": "platform",
        "SRE_AGENT__NAME": "other",
        "SRE_AGENT_STATE_DIR": "/somewhere",
    }
    config = config_of("aws:\n  region: us-west-2\n  role_name: sre\n", environ=environ)
    assert (config.aws.region, config.aws.role_name, config.name) == ("eu-west-1", "sre", "other")
    assert config.deployment.ssh_cidrs == ("203.0.113.0/24", "198.51.100.0/24")
    assert config.tags == {"Team": "platform"}


def test_an_override_that_is_wrong(problems_of: ProblemsOf) -> None:
    """Its place is the environment variable."""
    environ = {
        "SRE_AGENT__AWS__REGON": "eu-west-1",
        "SRE_AGENT__DEPLOYMENT__VOLUME_GB": "10",
        "SRE_AGENT__CREDENTIALS__CLIENT_SECRET": "planted",
    }
    found = {str(problem.where): problem for problem in problems_of("version: 1\n", environ=environ)}
    assert found["environment variable SRE_AGENT__AWS__REGON"].do[0] == "Did you mean region?"
    assert found["environment variable SRE_AGENT__DEPLOYMENT__VOLUME_GB"].code == "CONFIG-VOLUME-SIZE"
    assert found["environment variable SRE_AGENT__CREDENTIALS__CLIENT_SECRET"].code == "CONFIG-SECRET-IN-FILE"
    assert "planted" not in "".join(map(str, found.values()))


def test_a_secret_by_reference(config_of: ConfigOf) -> None:
    """A reference stays one: its value never comes into the configuration."""
    section = "credentials:\n  user_pool_id: us-east-1_a1B2c3D4e\n  client_id: 1h57kf5cpq17m0eml12EXAMPLE\n  client_secret: "
    for reference in ("env:COGNITO", "${COGNITO}", "file:/run/secrets/cognito", "aws-secretsmanager:sre/client"):
        config = config_of(section + reference, environ={"COGNITO": "planted-secret"})
        assert config.credentials.client_secret == reference
        assert "planted" not in repr(config)


def test_a_value_from_the_environment_that_is_wrong(problems_of: ProblemsOf) -> None:
    """The variable is named and its value is not shown: it may be a secret put in the wrong place."""
    (problem,) = problems_of("aws:\n  region: ${SOME_TOKEN}\n", environ={"SOME_TOKEN": "planted-secret"})
    assert problem.context["value_from"] == "${SOME_TOKEN}"
    assert "planted" not in str(problem)


def test_the_mode_decides_what_is_required(load_text: Callable[..., object]) -> None:
    """A local deployment needs nothing that only production needs, with any mode in the file."""
    text = "mode: production\n"
    assert isinstance(load_text(text, mode="local"), Config)
    assert not isinstance(load_text(text, mode="production"), Config)
    assert not isinstance(load_text(text, mode=None), Config)


def test_every_fault_is_reported_at_once(problems_of: ProblemsOf) -> None:
    """Faults of spelling, type and value are in one answer, in the order of the file."""
    found = problems_of("nam: x\naws:\n  region: nowhere\ndeployment:\n  volume_gb: big\n  instance_type: t3.nano\n")
    assert [problem.where.line for problem in found if problem.where] == [1, 3, 5, 6]


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    """The problem offers a template, and the file with the nearest name."""
    (tmp_path / "config.yml").write_text("version: 1\n", encoding="utf-8")
    (problem,) = load(tmp_path / "config.yaml", environ={}, mode=None)  # type: ignore[misc]
    assert problem.code == "CONFIG-FILE-MISSING"
    assert "config.yml" in problem.do[0]
    assert "template" in problem.do[2]


def test_paths_that_are_no_files(tmp_path: Path) -> None:
    """A folder, a path through a file, an impossible name and a huge file each say what they are."""
    huge = tmp_path / "huge.yaml"
    huge.write_text("a: b\n" * 100_000, encoding="utf-8")
    for path in (tmp_path, huge, huge / "config.yaml", Path("\0.yaml"), Path("x" * 5000)):
        (problem,) = load(path, environ={}, mode=None)  # type: ignore[misc]
        assert problem.code in {"CONFIG-FILE-UNREADABLE", "CONFIG-FILE-MISSING"}


def test_windows_and_old_mac_line_ends(tmp_path: Path) -> None:
    """Lines count the same with each kind of line end, and a byte order mark is no character of the text."""
    for end in ("\n", "\r\n", "\r"):
        path = tmp_path / "config.yaml"
        path.write_bytes(("\ufeff" + f"mode: local{end}aws:{end}  region: nowhere{end}").encode())
        (problem,) = load(path, environ={}, mode=None)  # type: ignore[misc]
        assert problem.where
        assert (problem.where.line, problem.where.column) == (3, 11)
