"""Look-ups: each kind of question that is answered in a few lines has a file here, and a line in `registry`."""
