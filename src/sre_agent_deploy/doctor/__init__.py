"""Check that this machine has what the deployer needs. START HERE: examine.py decides, observe.py observes."""
