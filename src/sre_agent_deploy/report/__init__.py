"""The verification report: one model, several renderings."""
