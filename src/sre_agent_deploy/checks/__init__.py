"""The validation engine: preflight and verification checks. `probe` looks, `judge` decides."""
