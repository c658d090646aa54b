"""From nothing to a config.yaml: by template, or by questions. START HERE: wizard.py."""
