"""How anything is waited for: how long, who is told, and how Ctrl-C ends it. Everything that talks to AWS waits by it."""
