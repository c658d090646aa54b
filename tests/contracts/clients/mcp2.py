"""The mcp SDK 2.x as a client, in each of $MODES (auto, or a version): lists the tools, calls one, prints what it saw as JSON."""

import asyncio
import json
import os
import ssl

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


async def main() -> None:
    print(json.dumps([await look(mode) for mode in os.environ["MODES"].split()]))


async def look(mode: str) -> dict[str, object]:
    headers = {"Authorization": f"Bearer {os.environ['GATEWAY_TOKEN']}"}
    async with httpx2.AsyncClient(headers=headers, verify=ssl.create_default_context()) as http:
        transport = streamable_http_client(os.environ["GATEWAY_URL"], http_client=http)
        async with Client(transport, mode=mode) as client:
            listed = await client.list_tools()
            called = await client.call_tool(os.environ["TOOL"], json.loads(os.environ["ARGUMENTS"]))
            return {
                "version": client.protocol_version,
                "tools": [tool.name for tool in listed.tools],
                "text": called.content[0].text,
                "is_error": called.is_error,
            }


asyncio.run(main())
