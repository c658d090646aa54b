"""config.yaml, read once: models in AWS's terms, and every fault in the file at its line and column."""
