"""Whether this machine has what the deployer needs. START HERE: examine.py decides, look.py looks."""
