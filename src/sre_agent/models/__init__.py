"""Language models as reasoners: the settings, the connection to each provider, and the agents that use the tools."""
