"""The validation engine: one behaviour per file; each check looks first, and decides from what it saw."""
