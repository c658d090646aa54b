"""Verification: what is proven against the real endpoints after a deployment."""
