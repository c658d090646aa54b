"""The EC2 host of this AWS: boots what an instance's user data describes, as processes of this machine."""
