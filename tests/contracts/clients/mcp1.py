"""The mcp SDK 1.x as a client: lists the tools at $GATEWAY_URL, calls one, prints what it saw as JSON."""

import asyncio
import json
import os

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main() -> None:
    headers = {"Authorization": f"Bearer {os.environ['GATEWAY_TOKEN']}"}
    async with (
        streamablehttp_client(os.environ["GATEWAY_URL"], headers=headers) as (read, write, _),
        ClientSession(read, write) as session,
    ):
        started = await session.initialize()
        await session.send_ping()
        listed = await session.list_tools()
        called = await session.call_tool(os.environ["TOOL"], json.loads(os.environ["ARGUMENTS"]))
    seen = {
        "version": started.protocolVersion,
        "tools": [tool.name for tool in listed.tools],
        "text": called.content[0].text,
        "is_error": called.isError,
    }
    print(json.dumps(seen))


asyncio.run(main())
