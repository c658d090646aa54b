"""Progress of a run: polling with deadlines, events for observers, and Ctrl-C. Every wait for AWS uses it."""
