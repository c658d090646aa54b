"""What a question asks: its kind, its subject and its time. All of it is pure."""
