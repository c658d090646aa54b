"""Detectors of single causes, one module for each area. Each declares what it needs, and yields candidates with their evidence."""
