"""A production machine that really boots: the user data of a deployment, unchanged, under systemd and cloud-init."""
