"""Write a new config.yaml from a template or from answers to questions. START HERE: wizard.py."""
