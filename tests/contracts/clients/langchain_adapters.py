"""langchain-mcp-adapters as a client: lists the tools at $GATEWAY_URL, calls one, prints what it saw as JSON."""

import asyncio
import json
import os

from langchain_mcp_adapters.client import MultiServerMCPClient


async def main() -> None:
    headers = {"Authorization": f"Bearer {os.environ['GATEWAY_TOKEN']}"}
    gateway = {"transport": "streamable_http", "url": os.environ["GATEWAY_URL"], "headers": headers}
    tools = await MultiServerMCPClient({"gateway": gateway}).get_tools()
    tool = next(each for each in tools if each.name == os.environ["TOOL"])
    answer = await tool.ainvoke(json.loads(os.environ["ARGUMENTS"]))
    text = answer if isinstance(answer, str) else answer[0]["text"]
    print(json.dumps({"tools": [each.name for each in tools], "text": text, "is_error": False}))


asyncio.run(main())
