"""Certificates: their sources, their chain, and their expiry."""
