"""Sessions: one contract for both stores, with the assistant's own policy over the local AWS's DynamoDB, and what callers see of it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from agent_backends import tools_and_backend
from agent_gateway import Gateway
from agent_https import Authority
from agent_issuer import Issuer
from test_serve import environment

from fixtures import preloaded
from fixtures.embedded import EmbeddedAws, served
from sre_agent import aws
from sre_agent.sessions.conversation import open_conversation
from sre_agent.sessions.dynamodb import DynamoDbSessions
from sre_agent.sessions.session import Sessions, Turn, session_key
from sre_agent.sessions.sqlite import SqliteSessions
from sre_agent_deploy.policies import session_statements
from sre_core import atomic_file, clock
from sre_core.problem import Problem, Refused

TABLE = "sre-0123456789-sessions"
KEYS = (("session", "S", "HASH"), ("turn", "N", "RANGE"))
REPORT = {"investigation_id": "inv-0", "kind": "health", "subject": {"name": "cart-service", "namespace": "shop"}}
REFUSED = ("throttle", "server_error")


@dataclass
class Table:
    """A table as a deployment has it, and the environment of an assistant whose role may do what its policy says."""

    aws: EmbeddedAws
    arn: str
    environment: Mapping[str, str]
    faults: Path

    def break_with(self, *rules: Mapping[str, Any]) -> None:
        atomic_file.write(self.faults, json.dumps({"seed": 1, "rules": list(rules)}).encode(), mode=0o600)

    def items(self) -> list[dict[str, Any]]:
        return list(self.aws.client("dynamodb").scan(TableName=TABLE, ConsistentRead=True)["Items"])


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Table]:
    folder = tmp_path_factory.mktemp("sessions")
    (folder / "faults.json").write_text('{"rules": []}')
    with served(folder, "--faults", str(folder / "faults.json"), "--no-boot") as opened:
        dynamodb = opened.client("dynamodb")
        arn = dynamodb.create_table(
            TableName=TABLE,
            AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind, _ in KEYS],
            KeySchema=[{"AttributeName": name, "KeyType": use} for name, _, use in KEYS],
            BillingMode="PAY_PER_REQUEST",
        )["TableDescription"]["TableArn"]
        dynamodb.get_waiter("table_exists").wait(TableName=TABLE, WaiterConfig={"Delay": 1})
        yield Table(opened, arn, _assistant(opened, arn), folder / "faults.json")


def _assistant(opened: EmbeddedAws, arn: str) -> dict[str, str]:
    """The environment with credentials of a role that has the assistant's statements, and nothing else."""
    iam = opened.client("iam")
    trust = {"Version": "2012-10-17", "Statement": []}
    role = iam.create_role(RoleName="assistant", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    statements = [{"Effect": "Allow", "Action": list(each.actions), "Resource": [arn]} for each in session_statements()]
    document = {"Version": "2012-10-17", "Statement": statements}
    iam.put_role_policy(RoleName="assistant", PolicyName="p", PolicyDocument=json.dumps(document))
    given = opened.client("sts").assume_role(RoleArn=role, RoleSessionName="assistant")["Credentials"]
    return {
        "SRE_SESSION_STORE": "dynamodb",
        "SRE_SESSION_TABLE": arn,
        "AWS_ENDPOINT_URL_DYNAMODB": opened.endpoint,
        "AWS_CA_BUNDLE": opened.ca_file,
        "AWS_ACCESS_KEY_ID": given["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": given["SecretAccessKey"],
        "AWS_SESSION_TOKEN": given["SessionToken"],
    }


type Open = Callable[..., Sessions]


@pytest.fixture(params=["sqlite", "dynamodb"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Open the same store, as another process would."""
    if request.param == "sqlite":
        return lambda **more: SqliteSessions(tmp_path, **more)
    table: Table = request.getfixturevalue("table")
    return lambda **more: DynamoDbSessions(aws.open_dynamodb(table.aws.region, table.environment), TABLE, **more)


def asked(prompt: str = "Is cart healthy?", **report: object) -> Turn:
    return Turn.create(prompt, {**REPORT, **report})


def test_the_last_question_of_a_session(open_store: Open, tmp_path: Path) -> None:
    """Another process reads what one kept, the newest first, and of this session only; many writers at once lose nothing."""
    own, other = session_key("caller", "ann", tmp_path.name), session_key("caller", "bob", tmp_path.name)
    assert open_store().last(own) is None
    assert open_store().add(own, asked("first")) is None
    assert open_store().add(own, asked("second", investigation_id="inv-2")) is None
    last = open_store().last(own)
    assert isinstance(last, Turn)
    assert (last.prompt, last.report) == ("second", "inv-2")
    assert last.to_json() == {"kind": "health", "subject": "cart-service", "namespace": "shop", "prompt": "second"}
    assert open_store().last(other) is None

    store = open_store()
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda number: store.add(other, asked(f"{number}", investigation_id=f"inv-{number}")), range(16)))
    assert kept == [None] * 16
    assert sorted(_reports(store, other)) == sorted(f"inv-{number}" for number in range(16))


def _reports(store: Sessions, session: str) -> list[str]:
    """Every report that is kept of a session, read past the store's own code where it has none for that."""
    if isinstance(store, SqliteSessions):
        turns = store.turns(session)
        assert isinstance(turns, tuple)
        return [turn.report for turn in turns]
    client: Any = store._client  # type: ignore[attr-defined]
    found = client.query(TableName=TABLE, KeyConditionExpression="#s = :s", ExpressionAttributeNames={"#s": "session"},
                         ExpressionAttributeValues={":s": {"S": session}})["Items"]  # fmt: skip
    assert [int(item["turn"]["N"]) for item in found] == list(range(1, len(found) + 1))
    return [item["report"]["S"] for item in found]


def test_a_question_whose_time_is_up(open_store: Open, tmp_path: Path) -> None:
    """It is no longer shown, and the store deletes it: SQLite with the next one, DynamoDB by the time in `expires`."""
    session = session_key("caller", "", tmp_path.name)
    old = replace(asked("an old question " + "o" * 400), at=clock.stamp(clock.now() - timedelta(hours=2)))
    short = open_store(kept_for=timedelta(hours=1))
    assert short.add(session, old) is None
    assert short.last(session) is None
    assert isinstance(open_store(kept_for=timedelta(hours=3)).last(session), Turn)
    assert short.add(session, asked("new")) is None
    if isinstance(short, SqliteSessions):
        assert sqlite3.connect(tmp_path / "sessions.sqlite3").execute("SELECT prompt FROM turns").fetchall() == [("new",)]
        assert b"oooooooo" not in (tmp_path / "sessions.sqlite3").read_bytes()
    else:
        found = short._newest(session)  # type: ignore[attr-defined]
        assert abs(int(found["expires"]["N"]) - (clock.now() + timedelta(hours=1)).timestamp()) < 60


@pytest.mark.parametrize(
    "prompt", ["half a character \ud800", "x" * 8000, "password=hunter2secret and its logs?", "'; DROP TABLE turns; --"]
)
def test_words_of_any_kind(open_store: Open, tmp_path: Path, prompt: str) -> None:
    """They are kept without secrets, as far as a next question reads them, and far below the 400 KB of an item."""
    session = session_key("caller", "", f"{tmp_path.name} \ud800")
    assert open_store().add(session, asked(prompt)) is None
    last = open_store().last(session)
    assert isinstance(last, Turn)
    assert last.prompt == prompt.replace("\ud800", "?").replace("hunter2secret", "***")[:1000]


def test_whose_a_session_is() -> None:
    """The key has the token's subject, the program's user and the id in it, each by itself; it shows none of them."""
    given = [("a", "b", "c"), ("x", "b", "c"), ("a", "x", "c"), ("a", "b", "x"), ("ab", "", "c"), ("a", "", "bc"), ("a", "bc", "")]
    keys = {session_key(*parts) for parts in given}
    assert len(keys) == len(given)
    assert all(len(key) == 64 for key in keys)


def test_a_table_that_refuses(table: Table, tmp_path: Path) -> None:
    """A missing table, a role without the permission, throttling and faults are Problems that say why, soon; what was kept stays."""

    def store(name: str = TABLE, **environment: str) -> Sessions:
        return DynamoDbSessions(aws.open_dynamodb(table.aws.region, {**table.environment, **environment}), name)

    session = session_key("caller", "", tmp_path.name)
    assert store().add(session, asked("before")) is None
    other = store("sre-0123456789-other")
    for problem in (other.last(session), other.add(session, asked())):
        assert isinstance(problem, Problem)
        assert "AccessDeniedException" in problem.why
    for kind in REFUSED:
        table.break_with({"kind": kind, "service": "dynamodb", "operation": "*"})
        began = time.monotonic()
        found = (store().last(session), store().add(session, asked()))
        assert [problem.code for problem in found if isinstance(problem, Problem)] == ["SESSION-NOT-READ", "SESSION-NOT-KEPT"]
        assert time.monotonic() - began < 60
    table.break_with()
    unreachable = store(AWS_ENDPOINT_URL_DYNAMODB="https://127.0.0.1:1").add(session, asked())
    assert isinstance(unreachable, Problem)
    assert _reports(store(), session) == ["inv-0"]


@pytest.mark.parametrize("fault", [{"kind": "server_error", "committed": True}, {"kind": "cut", "committed": True}, {"kind": "cut"}])
def test_an_answer_of_dynamodb_that_is_lost(table: Table, tmp_path: Path, fault: Mapping[str, Any]) -> None:
    """boto3 sends the question again, and it is kept once."""
    session = session_key("caller", "", tmp_path.name)
    table.break_with({"service": "dynamodb", "operation": "PutItem", "nth": 1, **fault})
    store = DynamoDbSessions(aws.open_dynamodb(table.aws.region, table.environment), TABLE)
    assert store.add(session, asked()) is None
    table.break_with()
    assert _reports(store, session) == ["inv-0"]


def test_what_the_policy_allows(table: Table) -> None:
    """The assistant reads and adds; it can change, delete or list nothing, and reach no other table."""
    client: Any = aws.open_dynamodb(table.aws.region, table.environment)
    key = {"session": {"S": "a"}, "turn": {"N": "1"}}
    for call in (
        lambda: client.delete_item(TableName=TABLE, Key=key),
        lambda: client.scan(TableName=TABLE),
        client.list_tables,
        lambda: client.delete_table(TableName=TABLE),
        lambda: client.update_item(TableName=TABLE, Key=key),
        lambda: client.batch_write_item(RequestItems={TABLE: [{"DeleteRequest": {"Key": key}}]}),
        lambda: client.put_item(TableName=f"{TABLE}-2", Item=key),
    ):
        with pytest.raises(client.exceptions.ClientError, match="AccessDeniedException"):
            call()


@pytest.mark.parametrize("settings", [{"SRE_SESSION_STORE": "redis"}, {"SRE_SESSION_STORE": "sqlite"}, {"SRE_SESSION_STORE": "dynamodb"}])
def test_an_environment_without_a_store(settings: Mapping[str, str]) -> None:
    """An unusable store is refused with what is missing; without a store nothing is kept."""
    with pytest.raises(Refused, match="ASSISTANT-SESSION-STORE"):
        open_conversation(settings)
    assert open_conversation({}).store is None


@dataclass
class Asking:
    """Processes of the assistant, one after the other, that answer callers."""

    folder: Path
    environment: Mapping[str, str]
    issuer: Issuer
    started: int = 0

    def ask_new_process(self, *questions: Mapping[str, Any], subject: str = "") -> list[dict[str, Any]]:
        """Ask a process that then is killed, and return its answers."""
        self.started += 1
        path = self.folder / f"{self.started}.sock"
        command = preloaded.command("sre_agent", "serve", "--socket", str(path))
        process = subprocess.Popen(command, env=dict(self.environment), stderr=subprocess.DEVNULL)
        try:
            while not path.exists():
                assert process.poll() is None
                time.sleep(0.02)
            token = self.issuer.token(**({"sub": subject} if subject else {}))
            return [asyncio.run(_post(path, question, token)) for question in questions]
        finally:
            process.send_signal(signal.SIGKILL)
            process.wait(120)


async def _post(path: Path, question: Mapping[str, Any], token: str) -> dict[str, Any]:
    transport = httpx2.AsyncHTTPTransport(uds=str(path))
    async with httpx2.AsyncClient(transport=transport, base_url="http://assistant", timeout=120) as http:
        response = await http.post("/invocations", json={"input": question}, headers={"authorization": f"Bearer {token}"})
        assert response.status_code == 200, response.text
        return dict(response.json()["output"])


@pytest.fixture(params=["sqlite", "dynamodb"])
def asking(request: pytest.FixtureRequest, tmp_path: Path, issuer: Issuer, authority: Authority) -> Iterator[Asking]:
    with Gateway.running(*tools_and_backend("crash-loop"), issuer, authority) as gateway:
        environ = environment(gateway.url, issuer, authority, tmp_path / "credentials")
        environ |= {"SRE_SESSION_STORE": "sqlite", "STATE_DIRECTORY": str(tmp_path / "state")}
        if request.param == "dynamodb":
            table: Table = request.getfixturevalue("table")
            environ |= table.environment
        yield Asking(tmp_path, environ, issuer)


def test_a_conversation_over_two_processes(asking: Asking, tmp_path: Path) -> None:
    """A process that was killed has kept what it answered: the next one knows what "its logs" are, and no other caller does."""
    session = f"{tmp_path.name}-{os.getpid()}"
    named = {"session_id": session, "user_id": "ann"}
    [first] = asking.ask_new_process({"prompt": "Is payment healthy?", **named})
    assert first["session"] == {"id": session, "kept": True}
    follow_up = {"prompt": "and its logs?"}
    [second, of_another_user, alone] = asking.ask_new_process({**follow_up, **named}, {**follow_up, **named, "user_id": "bob"}, follow_up)
    [of_another_token] = asking.ask_new_process({**follow_up, **named}, subject="another-caller")
    assert second["report"]["subject"]["name"] == "payment-service"
    assert "session" not in alone
    assert [each["report"]["subject"].get("name") for each in (of_another_user, of_another_token, alone)] == [None] * 3


def test_a_question_that_can_not_be_kept(asking: Asking, table: Table, tmp_path: Path) -> None:
    """It is answered, and the answer says in its first lines that it is in no session, and why."""
    (tmp_path / "state").write_text("a file where the folder should be")
    table.break_with({"kind": "throttle", "service": "dynamodb", "operation": "*"})
    [answer] = asking.ask_new_process({"prompt": "How many nodes are there?", "session_id": "s" * 33})
    table.break_with()
    assert answer["message"].startswith("# 3 nodes, all ready")
    assert answer["session"] == {"id": "s" * 33, "kept": False}
    lines = answer["message"].splitlines()
    assert any("not saved in its session" in line for line in lines[:4]), answer["message"]
    # A file that is not there yet is an empty session.
    assert any("could not be read" in line for line in lines[:4]) is ("SRE_SESSION_TABLE" in asking.environment)
