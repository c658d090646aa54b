"""Metrics of services: latency, errors, resources, availability and trends."""
