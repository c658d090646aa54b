"""Bedrock's API: Converse, ConverseStream and the access to models, as an ASGI app.

Shapes: boto3's service models bedrock-runtime 2023-09-30 and bedrock 2023-04-20.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from embedded_aws.bedrock import script
from embedded_aws.bedrock.event_stream import encode_event
from embedded_aws.bedrock.script import Answer, Conversation
from embedded_aws.http_messages import Request, Response, read_head, read_whole
from embedded_aws.world import AsgiApp, Receive, Scope, Send

_LARGEST = 32 * 1024 * 1024
_AVAILABLE = {
    "agreement": "AVAILABLE",
    "authorization": "AUTHORIZED",
    "entitlement": "AVAILABLE",
    "region": "AVAILABLE",
}


class Bedrock:
    """The models of one start, as its script says."""

    def __init__(self, script_file: Path | None = None) -> None:
        self._script_file = script_file

    def plane(self, region: str) -> AsgiApp:
        """Return the app of a region; all regions have the same script."""
        return self._handle

    async def _handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read_whole(read_head(scope), receive, limit=_LARGEST)
        await (await self._answer(request)).send(send)

    async def _answer(self, request: Request) -> Response:
        parts = request.raw_path.strip("/").split("/")
        known = script.read(self._script_file)
        if request.method == "GET" and len(parts) == 2 and parts[0] == "foundation-model-availability":
            return _availability(known, unquote(parts[1]))
        if request.method == "GET" and parts == ["use-case-for-model-access"]:
            return _use_case(known)
        if request.method == "POST" and len(parts) == 3 and parts[0] == "model" and parts[2] in {"converse", "converse-stream"}:
            streams = parts[2] == "converse-stream"
            answer = known.answer(_conversation(unquote(parts[1]), json.loads(request.body)))
            await asyncio.sleep(answer.seconds)
            if answer.error:
                return refusal(answer.status, answer.error, answer.message)
            return _stream(answer) if streams else Response.of_json(200, _whole(answer))
        return refusal(404, "UnknownOperationException", "The local AWS has no such operation of Bedrock.")


def refusal(status: int, code: str, message: str) -> Response:
    """Return an error as the REST-JSON protocol has it."""
    return Response.of_json(status, {"message": message}, ("x-amzn-errortype", code))


def _conversation(model: str, body: Mapping[str, Any]) -> Conversation:
    messages = body.get("messages", [])
    said = "\n".join(_texts(message) for message in messages)
    return Conversation(
        model=model,
        system="\n".join(part.get("text", "") for part in body.get("system", [])),
        text=said,
        turn=sum(message["role"] == "assistant" for message in messages),
        last=_texts(messages[-1]) if messages else "",
    )


def _texts(message: Mapping[str, Any]) -> str:
    """Return everything that a message says, tool calls and results included."""
    found = []
    for part in message["content"]:
        if "text" in part:
            found.append(part["text"])
        for result in part.get("toolResult", {}).get("content", []):
            found.append(result["text"] if "text" in result else json.dumps(result.get("json"), ensure_ascii=False))
        if "toolUse" in part:
            found.append(json.dumps(part["toolUse"], ensure_ascii=False))
    return "\n".join(found)


def _availability(known: script.Script, model: str) -> Response:
    found = {**_AVAILABLE, **known.availability.get(model, known.availability.get("*", {}))}
    if "error" in found:
        return refusal(400, found["error"], found.get("message", "Refused."))
    document = {
        "modelId": model,
        "agreementAvailability": {"status": found["agreement"]},
        "authorizationStatus": found["authorization"],
        "entitlementAvailability": found["entitlement"],
        "regionAvailability": found["region"],
    }
    return Response.of_json(200, document)


def _use_case(known: script.Script) -> Response:
    """Answer GetUseCaseForModelAccess: 404 until Anthropic's form was sent."""
    if not known.use_case:
        return refusal(404, "ResourceNotFoundException", "The use case for model access was not found.")
    return Response.of_json(200, {"formData": "e30="})


def _whole(answer: Answer) -> dict[str, object]:
    content: list[dict[str, object]] = [{"text": answer.text}] if answer.text else []
    content += [{"toolUse": {"toolUseId": _tool_id(), "name": use.name, "input": use.arguments}} for use in answer.tools]
    return {
        "output": {"message": {"role": "assistant", "content": content}},
        "stopReason": _stop(answer),
        "usage": _usage(answer),
        "metrics": {"latencyMs": 1},
    }


def _stream(answer: Answer) -> Response:
    body = b"".join(encode_event(name, payload) for name, payload in _events(answer))
    return Response(200, body, (("content-type", "application/vnd.amazon.eventstream"),))


def _events(answer: Answer) -> Iterator[tuple[str, dict[str, object]]]:
    yield "messageStart", {"role": "assistant"}
    block = 0
    if answer.text:
        half = len(answer.text) // 2
        for piece in (answer.text[:half], answer.text[half:]):
            yield "contentBlockDelta", {"contentBlockIndex": block, "delta": {"text": piece}}
        yield "contentBlockStop", {"contentBlockIndex": block}
        block += 1
    for number, use in enumerate(answer.tools, block):
        yield "contentBlockStart", {"contentBlockIndex": number, "start": {"toolUse": {"toolUseId": _tool_id(), "name": use.name}}}
        yield "contentBlockDelta", {"contentBlockIndex": number, "delta": {"toolUse": {"input": json.dumps(use.arguments)}}}
        yield "contentBlockStop", {"contentBlockIndex": number}
    yield "messageStop", {"stopReason": _stop(answer)}
    yield "metadata", {"usage": _usage(answer), "metrics": {"latencyMs": 1}}


def _stop(answer: Answer) -> str:
    return "tool_use" if answer.tools else "end_turn"


def _tool_id() -> str:
    return f"tooluse_{secrets.token_hex(8)}"


def _usage(answer: Answer) -> dict[str, int]:
    used = answer.usage
    return {
        "inputTokens": used["input"],
        "outputTokens": used["output"],
        "totalTokens": used["input"] + used["output"],
        "cacheReadInputTokens": used.get("cache_read", 0),
        "cacheWriteInputTokens": used.get("cache_write", 0),
    }
