"""Migrate older formats of config.yaml, and the files of the sample, to the current config.yaml."""
