"""The state of a cluster: pods, deployments, events, usage and nodes."""
