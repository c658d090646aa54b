"""Write a new config.yaml from answers to questions. START HERE: wizard.py."""
