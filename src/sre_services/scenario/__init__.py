"""Writes the recordings that ship: one shop, seen on a quiet day and on two bad ones. Deterministic."""
