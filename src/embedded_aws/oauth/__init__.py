"""Cognito's OAuth endpoints, which moto lacks: discovery, signing keys and the token endpoint."""
