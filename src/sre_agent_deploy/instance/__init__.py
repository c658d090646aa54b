"""What runs on the machine: machine.json, user data, bootstrap, systemd units, nginx."""
