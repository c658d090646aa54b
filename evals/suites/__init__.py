"""Suites that are built at run time from labelled cases or recordings: healthy, two faults, decoys."""
