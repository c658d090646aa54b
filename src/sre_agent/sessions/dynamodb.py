"""Sessions in a DynamoDB table, which every process of a service reads and writes.

One item is one question: partition key `session`, sort key `turn`, its number in the session. `expires` is the attribute by which
DynamoDB deletes it, some days late at most, so what is too old is left out here as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from sre_agent import aws
from sre_agent.sessions.session import KEPT_FOR, Turn, not_kept, not_read
from sre_core import clock
from sre_core.problem import Problem

TRIES = 50
"""Others that may add to one session while a question of it is being kept. A person has one or two."""
_TEXTS = ("at", "prompt", "kind", "subject", "namespace", "report")
_DO = (
    "See what the table lacks: sre-agent-deploy plan --config config.yaml",
    "See in its metrics whether requests are throttled: DynamoDB > Tables > Monitor.",
)


class DynamoDbSessions:
    """The sessions in one table. `client` is boto3's of DynamoDB."""

    def __init__(self, client: Any, table: str, kept_for: timedelta = KEPT_FOR) -> None:
        self._client = client
        self._table = table
        self._kept_for = kept_for

    def last(self, session: str) -> Turn | Problem | None:
        """Return the last question of a session."""
        try:
            item = self._newest(session)
        except aws.client_errors() as error:
            return not_read(_explain(error), *_DO)
        turn = Turn(**{name: item[name]["S"] for name in _TEXTS}) if item else None
        return turn if turn and turn.is_younger(self._kept_for) else None

    def add(self, session: str, turn: Turn) -> Problem | None:
        """Keep a question under the next number that no other has taken."""
        try:
            newest = self._newest(session)
            number = int(newest["turn"]["N"]) if newest else 0
            if any(self._put(session, number + later, turn) for later in range(1, TRIES + 1)):
                return None
        except aws.client_errors() as error:
            return not_kept(_explain(error), *_DO)
        return not_kept(f"{TRIES} other questions of this session were kept in the meantime.")

    def _newest(self, session: str) -> Mapping[str, Any] | None:
        answer = self._client.query(
            TableName=self._table,
            KeyConditionExpression="#session = :session",
            ExpressionAttributeNames={"#session": "session"},
            ExpressionAttributeValues={":session": {"S": session}},
            ScanIndexForward=False,
            Limit=1,
            ConsistentRead=True,
        )
        return next(iter(answer["Items"]), None)

    def _put(self, session: str, number: int, turn: Turn) -> bool:
        """Write a question under a number. Returns False where another question has it; nothing is ever overwritten."""
        expires = int((clock.parse(turn.at) + self._kept_for).timestamp())
        item = {"session": {"S": session}, "turn": {"N": str(number)}, "expires": {"N": str(expires)}}
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item | {name: {"S": getattr(turn, name)} for name in _TEXTS},
                ConditionExpression="attribute_not_exists(#session)",
                ExpressionAttributeNames={"#session": "session"},
                ReturnValuesOnConditionCheckFailure="ALL_OLD",
            )
        except self._client.exceptions.ConditionalCheckFailedException as taken:
            # boto3 sends a request again whose answer was lost: then the question that is there is this one.
            return bool(taken.response.get("Item", {}).get("report", {}).get("S") == turn.report)
        return True


def _explain(error: Exception) -> str:
    """Explain why DynamoDB did not do it: its code and message, or why it could not be called."""
    response = getattr(error, "response", {}).get("Error", {})
    return f"DynamoDB: {response['Code']}: {response.get('Message', '')}" if "Code" in response else f"DynamoDB: {error}"
