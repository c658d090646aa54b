"""Pages of docs/reference/, one module each."""
