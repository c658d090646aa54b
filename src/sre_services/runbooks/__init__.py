"""Runbooks: what to do about incidents, and whom to inform."""
