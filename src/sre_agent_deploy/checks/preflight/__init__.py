"""Preflight: checks of the configuration and the account, before anything is changed."""
