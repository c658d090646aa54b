"""Permissions of this account's identities: every request is authorized as IAM does it."""
