"""Resumable state: what was intended, born, configured, made ready and deleted."""
