"""The OAuth endpoints of Cognito, which moto lacks: discovery, signing keys and the token endpoint."""
