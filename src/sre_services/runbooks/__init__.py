"""What to do about incidents, and whom to tell."""
