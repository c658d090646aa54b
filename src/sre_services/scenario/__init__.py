"""The generator of the recordings that ship: one shop, on a healthy day and on two bad ones. It is deterministic."""
