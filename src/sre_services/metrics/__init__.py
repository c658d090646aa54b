"""What was measured: latency, errors, resources, availability and trends."""
