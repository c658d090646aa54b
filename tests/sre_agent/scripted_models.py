"""Scripted models over HTTP: a server that answers as Anthropic's API does, and one that is OpenAI-compatible.

Both follow the script format of the local AWS's Bedrock, and keep every request, so that tests see what left the machine.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from embedded_aws.bedrock.script import Answer, Conversation, Script


@dataclass
class Scripted:
    """One server: its rules, which a test may change, and the requests that it got."""

    rules: tuple[Mapping[str, Any], ...] = ()
    url: str = ""
    bodies: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Scripted]:
        scripted = cls()
        routes = [
            Route("/v1/messages", scripted._anthropic, methods=["POST"]),
            Route("/v1/chat/completions", scripted._openai, methods=["POST"]),
        ]
        with _http(Starlette(routes=routes)) as url:
            scripted.url = url
            yield scripted

    async def _read(self, request: Request, system: str, messages: list[Any], model: str) -> Answer:
        self.bodies.append((await request.body()).decode())
        self.headers.append(dict(request.headers))
        turn = sum(message["role"] == "assistant" for message in messages)
        answer = Script(self.rules).answer(Conversation(model, system, "\n".join(_texts(messages)), turn))
        await asyncio.sleep(answer.seconds)
        return answer

    async def _anthropic(self, request: Request) -> Response:
        body = await request.json()
        system = body.get("system", "")
        text = system if isinstance(system, str) else "\n".join(part["text"] for part in system)
        answer = await self._read(request, text, body["messages"], body["model"])
        if answer.error:
            error = {"type": "error", "error": {"type": answer.error, "message": answer.message}}
            return JSONResponse(error, status_code=answer.status)
        message = _anthropic_message(answer, body["model"])
        return _sse(_anthropic_events(message)) if body.get("stream") else JSONResponse(message)

    async def _openai(self, request: Request) -> Response:
        body = await request.json()
        system = "\n".join(str(message["content"]) for message in body["messages"] if message["role"] in {"system", "developer"})
        answer = await self._read(request, system, body["messages"], body["model"])
        if answer.error:
            return JSONResponse(
                {"error": {"message": answer.message, "type": answer.error, "code": answer.error}}, status_code=answer.status
            )
        return _sse(_openai_chunks(answer, body["model"])) if body.get("stream") else JSONResponse(_openai_message(answer, body["model"]))


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _anthropic_message(answer: Answer, model: str) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": answer.text}] if answer.text else []
    content += [
        {"type": "tool_use", "id": f"toolu_{time.monotonic_ns()}_{number}", "name": use.name, "input": use.arguments}
        for number, use in enumerate(answer.tools)
    ]
    usage = {"input_tokens": answer.usage["input"], "output_tokens": answer.usage["output"]}
    usage |= {"cache_read_input_tokens": answer.usage.get("cache_read", 0), "cache_creation_input_tokens": 0}
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": "tool_use" if answer.tools else "end_turn", "stop_sequence": None, "usage": usage,
    }  # fmt: skip


def _anthropic_events(message: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    yield "message_start", {"type": "message_start", "message": {**message, "content": [], "stop_reason": None}}
    for index, block in enumerate(message["content"]):
        text = block["type"] == "text"
        empty = {**block, "text": ""} if text else {**block, "input": {}}
        delta = (
            {"type": "text_delta", "text": block["text"]}
            if text
            else {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        )
        yield "content_block_start", {"type": "content_block_start", "index": index, "content_block": empty}
        yield "content_block_delta", {"type": "content_block_delta", "index": index, "delta": delta}
        yield "content_block_stop", {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield "message_delta", {"type": "message_delta", "delta": ending, "usage": message["usage"]}
    yield "message_stop", {"type": "message_stop"}


def _calls(answer: Answer) -> list[dict[str, Any]]:
    return [
        {
            "id": f"call_{time.monotonic_ns()}_{number}",
            "type": "function",
            "function": {"name": use.name, "arguments": json.dumps(use.arguments)},
        }
        for number, use in enumerate(answer.tools)
    ]


def _openai_usage(answer: Answer) -> dict[str, int]:
    used = answer.usage
    return {"prompt_tokens": used["input"], "completion_tokens": used["output"], "total_tokens": used["input"] + used["output"]}


def _openai_message(answer: Answer, model: str) -> dict[str, Any]:
    message = {"role": "assistant", "content": answer.text or None, "tool_calls": _calls(answer) or None}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls" if answer.tools else "stop"}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": model, "choices": [choice], "usage": _openai_usage(answer)}


def _openai_chunks(answer: Answer, model: str) -> Iterator[tuple[str, Any]]:
    shared = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": model}
    calls = [{**call, "index": number} for number, call in enumerate(_calls(answer))]
    for delta in (
        ({"role": "assistant", "content": answer.text}, {"tool_calls": calls})
        if calls
        else ({"role": "assistant", "content": answer.text},)
    ):
        yield "", {**shared, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]}
    yield "", {**shared, "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls" if calls else "stop"}]}
    yield "", {**shared, "choices": [], "usage": _openai_usage(answer)}
    yield "", "[DONE]"


def _sse(events: Iterator[tuple[str, Any]]) -> Response:
    def lines() -> Iterator[str]:
        for name, data in events:
            text = data if isinstance(data, str) else json.dumps(data)
            yield (f"event: {name}\n" if name else "") + f"data: {text}\n\n"

    return StreamingResponse(lines(), media_type="text/event-stream")


@contextmanager
def _http(app: Any) -> Iterator[str]:
    """Serve over plain HTTP on loopback, as a model on the same machine is served."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listener.close()
