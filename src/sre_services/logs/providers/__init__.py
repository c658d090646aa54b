"""Providers: one file for each system from which this service can answer, named in `sre_services.providers`."""
