"""The front door's certificate: of its source, for its hosts, and renewed in time."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from sre_agent_deploy.aws import Aws
from sre_agent_deploy.later import Ref
from sre_agent_deploy.resources.certificate import Certificate
from sre_agent_deploy.tls import local_ca
from sre_agent_deploy.tls.acme import AcmeSettings, AcmeSource, ask_for_order, asks, explain_due
from sre_agent_deploy.tls.chain import CertificateSource, Chain, Issued, find_faults
from sre_core import clock
from sre_core.secret import Secret

from .conftest import Marked
from .life import check_life_cycle, check_repair, configure, create, delete, drift, read, refused


@dataclass(frozen=True)
class OfAge:
    """An authority whose certificates have been around for a while."""

    authority: local_ca.LocalCa
    age: timedelta
    renews: bool = True

    @property
    def identity(self) -> str:
        return self.authority.identity

    def issue(self, hosts: tuple[str, ...]) -> Issued:
        return self.authority.issue(hosts, clock.now() - self.age)

    def console(self, hosts: tuple[str, ...]) -> tuple[str, ...]:
        return ()


@pytest.fixture
def authority(tmp_path: Path) -> local_ca.LocalCa:
    return local_ca.open_local_ca(tmp_path / "local-ca")


def certificate(deployment: str, source: CertificateSource) -> Certificate:
    return Certificate(name="certificate", secret_name=f"{deployment}/certificate", source=source, hosts=("sre.example.com", "192.0.2.7"))


def stored(aws: Aws, id: str) -> dict[str, str]:
    parts: dict[str, str] = json.loads(aws.client("secretsmanager").get_secret_value(SecretId=id)["SecretString"])
    return parts


def test_a_certificate_from_creation_to_deletion(aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa) -> None:
    """It is issued, stored and deleted."""
    check_life_cycle(aws, certificate(deployment, authority), marked("certificate"))


def test_what_a_machine_finds(aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa) -> None:
    """The secret has the chain, leaf first, and the leaf's key; the output says when it ends."""
    declared = certificate(deployment, authority)
    id = create(aws, declared, marked("certificate"))
    parts = stored(aws, id)
    chain = Chain.parse(parts["certificate"])
    assert find_faults(chain, None, declared_hosts(declared)) == ()
    assert parts["private_key"].startswith("-----BEGIN PRIVATE KEY-----")
    assert read(aws, declared, id).outputs["not_after"] == clock.stamp(chain.not_after)
    assert parts["private_key"] not in repr(read(aws, declared, id))
    delete(aws, declared, id, deployment)


def declared_hosts(declared: Certificate) -> tuple[str, ...]:
    return tuple(map(str, declared.hosts))


def test_other_hosts_or_another_authority(aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa, tmp_path: Path) -> None:
    """Each is a difference, and gets another certificate."""
    declared = certificate(deployment, authority)
    id = create(aws, declared, marked("certificate"))
    check_repair(aws, declared, id, hosts=("198.51.100.4",))
    other = certificate(deployment, local_ca.open_local_ca(tmp_path / "another"))
    assert [entry.field for entry in drift(aws, other, id)] == ["issued_by"]
    configure(aws, other, id)
    assert drift(aws, other, id) == ()
    delete(aws, declared, id, deployment)


@pytest.mark.parametrize("days_left", [31, 29, -1])
def test_a_certificate_of_some_age(aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa, days_left: int) -> None:
    """From 30 days before its end a plan shows it, and configuring stores a fresh one; before that, nothing changes."""
    renewed = days_left < 30
    aged = OfAge(authority, local_ca.LEAF_LIFE - timedelta(days=days_left, minutes=-1))
    id = certificate(deployment, aged).create(aws, marked("certificate"))
    declared, before = certificate(deployment, authority), stored(aws, id)
    assert [entry.field for entry in drift(aws, declared, id)] == (["fresh"] if renewed else [])
    configure(aws, declared, id)
    assert (stored(aws, id) != before) is renewed
    assert drift(aws, declared, id) == ()
    delete(aws, declared, id, deployment)


def test_files_in_their_last_days(aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa) -> None:
    """A certificate from a file that is still the same is not stored again at every run."""
    last_days = certificate(deployment, OfAge(authority, local_ca.LEAF_LIFE - timedelta(days=5), renews=False))
    id = create(aws, last_days, marked("certificate"))
    assert drift(aws, last_days, id) == ()
    delete(aws, last_days, id, deployment)


@pytest.mark.parametrize("damage", ["{}", "no JSON", '{"certificate": "-----BEGIN CERTIFICATE-----"}'])
def test_a_certificate_that_was_damaged_by_hand(
    aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa, damage: str
) -> None:
    """It differs in every field, and is replaced."""
    declared = certificate(deployment, authority)
    id = create(aws, declared, marked("certificate"))
    aws.client("secretsmanager").put_secret_value(SecretId=id, SecretString=damage)
    assert {entry.field for entry in drift(aws, declared, id)} == {"hosts", "issued_by", "fresh"}
    configure(aws, declared, id)
    assert drift(aws, declared, id) == ()
    delete(aws, declared, id, deployment)


def test_a_certificate_that_was_replaced_by_hand(aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa) -> None:
    """A chain without the hosts shows the names that it has, with any other values in the secret."""
    declared = certificate(deployment, authority)
    id = create(aws, declared, marked("certificate"))
    other = authority.issue(("elsewhere.example.com",))
    replaced = stored(aws, id) | {"certificate": other.chain, "private_key": other.private_key.reveal()}
    aws.client("secretsmanager").put_secret_value(SecretId=id, SecretString=json.dumps(replaced))
    (difference,) = drift(aws, declared, id)
    assert "elsewhere.example.com" in difference.seen
    delete(aws, declared, id, deployment)


def test_a_certificate_with_another_key(aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa) -> None:
    """No server could use it, so it is replaced, however good its dates are."""
    declared = certificate(deployment, authority)
    id = create(aws, declared, marked("certificate"))
    other = authority.issue(declared_hosts(declared))
    aws.client("secretsmanager").put_secret_value(
        SecretId=id, SecretString=json.dumps(stored(aws, id) | {"private_key": other.private_key.reveal()})
    )
    assert drift(aws, declared, id) != ()
    configure(aws, declared, id)
    assert drift(aws, declared, id) == ()
    delete(aws, declared, id, deployment)


def test_a_certificate_that_was_stored_by_hand(aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa) -> None:
    """The guide's two keys are enough: what it is, and for whom, is read from the chain itself."""
    declared = certificate(deployment, authority)
    id = create(aws, declared, marked("certificate"))
    by_hand = {key: value for key, value in stored(aws, id).items() if key in ("certificate", "private_key")}
    aws.client("secretsmanager").put_secret_value(SecretId=id, SecretString=json.dumps(by_hand))
    assert drift(aws, declared, id) == ()
    delete(aws, declared, id, deployment)


def test_a_secret_name_that_is_taken(aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa) -> None:
    """The secret that has the name stays as it is."""
    declared = certificate(deployment, authority)
    id = create(aws, declared, marked("certificate"))
    before = stored(aws, id)
    assert refused(aws, declared, marked("certificate")).code == "SECRET-NAME-TAKEN"
    assert stored(aws, id) == before
    delete(aws, declared, id, deployment)


def test_guide_and_template(authority: local_ca.LocalCa) -> None:
    """They name the hosts, also those that AWS will choose, and hold no key."""
    declared = Certificate(name="certificate", secret_name="s", source=authority, hosts=(Ref("address", "public_ip"),))
    texts = f"{declared.console()} {declared.template()} {declared}"
    assert "<address.public_ip>" in texts
    assert "BEGIN" not in texts.replace("-----BEGIN CERTIFICATE-----", "")
    assert "BEGIN PRIVATE KEY" not in texts


def acme_source(directory: str = "https://ca.example.com/dir") -> AcmeSource:
    return AcmeSource(AcmeSettings(directory, "", "http-01"))


def put(aws: Aws, id: str, **changed: str) -> None:
    """Store what a machine, or a person, stores."""
    aws.client("secretsmanager").put_secret_value(SecretId=id, SecretString=json.dumps(stored(aws, id) | changed))


def find_due(aws: Aws, id: str) -> str:
    return explain_due({key: Secret(text) for key, text in stored(aws, id).items()}, clock.now())


def test_a_certificate_that_the_machine_orders(aws: Aws, marked: Marked, deployment: str, authority: local_ca.LocalCa) -> None:
    """The deployer stores a placeholder and the settings; what the machine has ordered stays, and an order is asked for anew."""
    declared = replace(certificate(deployment, acme_source()), hosts=("sre.example.com",))
    id = create(aws, declared, marked("certificate"))
    assert drift(aws, declared, id) == ()
    assert find_due(aws, id) == "there is none yet"
    assert "not_after" not in read(aws, declared, id).outputs, "a placeholder's end"
    ordered = authority.issue(("sre.example.com",), clock.now() - timedelta(days=80))
    pair = {"certificate": ordered.chain, "private_key": ordered.private_key.reveal()}
    put(aws, id, **pair, acme_account_key="a key", acme_ordered_from="https://ca.example.com/dir", acme_asked="i-1 now")
    assert (drift(aws, declared, id), find_due(aws, id)) == ((), ""), "the machine renews it, however old"
    configure(aws, declared, id)
    assert stored(aws, id)["acme_asked"] == "i-1 now"

    staging = replace(declared, source=acme_source("https://staging.example.com/dir"))
    assert [each.field for each in drift(aws, staging, id)] == ["issued_by"]
    configure(aws, staging, id)
    changed = stored(aws, id)
    assert {key: changed[key] for key in pair} == pair
    assert changed["acme_account_key"] == "a key"
    assert "acme_asked" not in changed
    assert find_due(aws, id) == "the one that is there was issued by https://ca.example.com/dir"

    put(aws, id, private_key=local_ca_key(authority))
    assert drift(aws, staging, id) != ()
    configure(aws, staging, id)
    assert stored(aws, id)["acme_account_key"] == "a key"
    assert (drift(aws, staging, id), find_due(aws, id)) == ((), "there is none yet"), "one that no server can use is ordered anew"

    own = replace(declared, source=authority)
    configure(aws, own, id)
    assert drift(aws, own, id) == ()
    before = stored(aws, id)
    assert not [key for key in before if key.startswith("acme_")]
    configure(aws, declared, id)
    assert stored(aws, id)["certificate"] == before["certificate"], "the files' certificate is served until the order"
    assert find_due(aws, id) == "there is none yet"
    delete(aws, declared, id, deployment)


def local_ca_key(authority: local_ca.LocalCa) -> str:
    return authority.issue(("sre.example.com",)).private_key.reveal()


def test_which_machine_orders_and_when(authority: local_ca.LocalCa) -> None:
    """Only the one that is asked; and when the certificate is of another authority, names another host, or has expired."""
    now, source = clock.now(), acme_source()
    right = {
        **source.parts({}),
        "certificate": Secret(authority.issue(("sre.example.com",), now).chain),
        "hosts": Secret("sre.example.com"),
        "acme_ordered_from": Secret(source.settings.directory),
    }
    assert explain_due(right, now) == ""
    assert explain_due(right, now + local_ca.LEAF_LIFE + timedelta(days=1)) == "the one that is there has expired"
    assert explain_due({**right, "hosts": Secret("sre.example.com www.example.com")}, now) == (
        "the one that is there does not name www.example.com"
    )
    assert not asks(right, "i-1")
    asked = ask_for_order(right, "i-1", clock.stamp(now))
    assert (asks(asked, "i-1"), asks(asked, "i-2"), asks(asked, "i")) == (True, False, False)
