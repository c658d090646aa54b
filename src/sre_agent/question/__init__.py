"""Parse a question: its kind, its subject and its time. All of it is pure."""
