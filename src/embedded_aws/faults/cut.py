"""A connection that ends without an answer."""

from __future__ import annotations


class Cut(Exception):
    """Raised through the door; whoever holds the connection ends it."""
