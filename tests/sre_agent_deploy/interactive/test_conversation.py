"""Interactive mode, as a person meets it: in a real terminal."""

from __future__ import annotations

from pathlib import Path

from sre_agent_deploy.config.load import load
from sre_agent_deploy.config.models import Config

from .conftest import Sits


def loaded(path: Path) -> Config:
    config = load(path, environ={}, mode=None)
    assert isinstance(config, Config), config
    return config


def test_a_whole_production_run(tmp_path: Path, sits_at: Sits) -> None:
    """Every answer is in the file, which is valid, keeps its comments, and leaves no draft behind."""
    person = sits_at("init", "--interactive")
    person.answers(("mode", "abc"))
    person.reads("CONFIG-CHOICE: ")
    person.types("2")
    person.answers(
        ("name", "shop"), ("aws.region", "eu-west-1"), ("aws.account_id", "123456789012"), ("aws.vpc_id", ""),
        ("deployment.domain_name", "sre.example.org"), ("deployment.hosted_zone_id", ""), ("tls.source", ""),
        ("deployment.ssl_cert_path", "/opt/ssl/chain.pem"), ("deployment.ssl_key_path", "/opt/ssl/key.pem"),
        ("deployment.ssl_ca_path", ""), ("systems of your own", ""), ("optional settings", "yes"),
        ("optional aws", ""), ("optional credentials", "no"),
        ("optional gateway", "yes"), ("gateway.gateway_name", "shop-gateway"), ("gateway.description", ""), ("gateway.s3_bucket", ""),
        ("gateway.s3_path_prefix", ""), ("gateway.versioning", ""), ("gateway.kms_key_arn", ""), ("gateway.cors_origins", ""),
            ("gateway.access_log_bucket", ""), ("gateway.provider_arn", ""), ("gateway.search", "1"), ("gateway.debug", ""),
        ("optional deployment", ""), ("optional services", ""), ("optional assistant", ""), ("optional privacy", ""),
        ("optional state", ""), ("optional limits", ""), ("optional retries", ""), ("optional alerts", ""),
        ("optional monitoring", ""), ("optional updates", ""), ("optional backups", ""),
        ("tags", "team=platform, stage=prod: eu"),
    )  # fmt: skip
    person.answers_review("")
    assert person.leaves() == 0, person.seen
    config = loaded(tmp_path / "config.yaml")
    assert (config.name, config.aws.region, config.gateway.gateway_name, config.gateway.search) == (
        "shop",
        "eu-west-1",
        "shop-gateway",
        True,
    )
    assert config.tags == {"team": "platform", "stage": "prod: eu"}
    assert "# The AWS Region for every resource." in (tmp_path / "config.yaml").read_text()
    assert not list(tmp_path.glob("*draft*"))
    assert "sre-agent-deploy deploy --config config.yaml --mode production" in person.seen


def test_wrong_answers_are_reported_and_corrected(tmp_path: Path, sits_at: Sits) -> None:
    """The rules of the configuration apply to each answer at once, with their own messages; the next answer counts."""
    person = sits_at("--interactive", "--mode", "production")
    person.answers(("name", "Not A Name"))
    person.reads("CONFIG-NAME: ")
    person.types("shop")
    person.answers(("aws.region", "us-east-1a"))
    person.reads("Did you mean us-east-1?")
    person.types("us-east-1")
    person.answers(("aws.account_id", ""))
    person.reads("CONFIG-REQUIRED: ")
    person.types("1234")
    person.reads("CONFIG-ACCOUNT-ID: ")
    person.types("123456789012")
    person.answers(("aws.vpc_id", "vpc-1"))
    person.reads("CONFIG-RESOURCE-ID: ")
    person.types("vpc-0a1b2c3d")
    person.answers(("aws.subnet_id", ""))
    person.reads("CONFIG-REQUIRED: ")
    person.types("quit")
    assert person.leaves() == 130
    assert "Traceback" not in person.seen


def test_control_c_keeps_what_was_entered(tmp_path: Path, sits_at: Sits) -> None:
    """The answers are in a draft beside the file, are offered next time, and need not be typed again."""
    first = sits_at("init", "--interactive", "--output", "prod.yaml")
    first.answers(("mode", "production"), ("name", "shop"), ("aws.region", "eu-west-1"))
    first.reads("] aws.account_id")
    first.reads("] >")
    first.presses_control_c()
    assert first.leaves() == 130
    assert "3 answers are kept in prod.yaml.draft" in first.seen
    assert not (tmp_path / "prod.yaml").exists()

    second = sits_at("init", "--interactive", "--output", "prod.yaml")
    second.reads("There are 3 answers of an earlier time")
    second.types("yes")
    second.answers(
        ("aws.account_id", "123456789012"), ("aws.vpc_id", ""), ("deployment.domain_name", "sre.example.org"),
        ("deployment.hosted_zone_id", ""), ("tls.source", "files"), ("deployment.ssl_cert_path", "c.pem"),
        ("deployment.ssl_key_path", "k.pem"), ("deployment.ssl_ca_path", ""), ("systems of your own", "no"), ("optional settings", "no"),
    )  # fmt: skip
    second.answers_review("save")
    assert second.leaves() == 0, second.seen
    config = loaded(tmp_path / "prod.yaml")
    assert (config.name, config.aws.region) == ("shop", "eu-west-1")
    assert [file.name for file in tmp_path.iterdir() if "draft" in file.name] == []


def test_a_killed_conversation(tmp_path: Path, sits_at: Sits) -> None:
    """Even SIGKILL loses no accepted answer; a draft that is not wanted goes."""
    first = sits_at("init", "--interactive", "--mode", "local")
    first.answers(("name", "mine"))
    first.reads("] services.recording")
    first.process.kill()
    second = sits_at("init", "--interactive", "--mode", "local")
    second.reads("There are 2 answers of an earlier time")
    second.types("no")
    second.reads("[1/3] name")


def test_back_and_the_review(tmp_path: Path, sits_at: Sits) -> None:
    """One can go back to any answer, and change it from the review by its number."""
    person = sits_at("init", "--interactive")
    person.answers(("mode", "back"))
    person.answers(("mode", "local"), ("name", "one"), ("services.recording", "back"), ("name", "two"), ("services.recording", ""))
    person.answers(
        ("systems of your own", "yes"), ("services.kubernetes", "kubeconfig"), ("services.logs", "kubeconfig, files:/var/log/shop")
    )
    person.answers(("services.metrics", "prometheus:https://prometheus.example.com"), ("services.runbooks", ""))
    assert "two" in person.answers_review("9")
    person.reads("Not one of: save, back, quit, 1-8.")
    person.types("3")
    person.answers(("services.recording", "memory-leak"))
    person.answers_review("save")
    assert person.leaves() == 0, person.seen
    config = loaded(tmp_path / "config.yaml")
    assert (config.mode, config.name, config.services.recording) == ("local", "two", "memory-leak")
    kinds = {service: [each.kind for each in sources] for service, sources in config.services.live().items()}
    assert kinds == {"kubernetes": ["kubeconfig"], "logs": ["kubeconfig", "files"], "metrics": ["prometheus"], "runbooks": []}


def test_a_secret_is_refused_and_not_kept(tmp_path: Path, sits_at: Sits) -> None:
    """A secret typed as an answer comes into no file and is not repeated by any message."""
    secret = "sk-" + "a1B2" * 8
    person = sits_at("init", "--interactive", "--mode", "local")
    person.answers(("name", "mine"), ("services.recording", f"./{secret}"))
    person.reads("CONFIG-SECRET-IN-FILE: ")
    answer = person.reads("] >")
    assert secret not in answer
    person.types("quit")
    assert person.leaves() == 130
    assert all(secret not in file.read_text() for file in tmp_path.iterdir())


def test_a_damaged_draft(tmp_path: Path, sits_at: Sits) -> None:
    """A draft that can't be read is left as it is, with what to do."""
    (tmp_path / "config.yaml.draft").write_text('{"answers": ')
    person = sits_at("init", "--interactive")
    person.reads("INTERACTIVE-DRAFT-DAMAGED: ")
    assert person.leaves() == 1
    assert (tmp_path / "config.yaml.draft").read_text() == '{"answers": '
