"""Certificates: where they come from, whether they fit, and when they end."""
