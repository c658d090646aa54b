"""The EC2 host of the local AWS: it runs the machine that user data describes, as processes of this computer."""
