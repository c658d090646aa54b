"""Verification: checks of a deployment through its real endpoints."""
