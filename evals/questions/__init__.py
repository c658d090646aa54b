"""Questions of every kind, what is answered to them, and how often an answer is of the kind that was asked for."""
