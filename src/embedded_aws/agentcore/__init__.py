"""Amazon Bedrock AgentCore on one machine: gateways, their targets, credential providers, and the gateways' MCP endpoints."""
