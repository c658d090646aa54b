"""Amazon Bedrock AgentCore in the local AWS: gateways, targets, credential providers, and the MCP endpoints of gateways."""
