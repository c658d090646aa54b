"""What real systems answer, one file per system."""
