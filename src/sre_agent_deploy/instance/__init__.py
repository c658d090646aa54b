"""What runs on the machine. Read `machine.py` first: everything else renders it, or carries it out there.

`machine`, `systemd`, `nginx` and `bootstrap` travel inside the release and need the standard library only.
"""
