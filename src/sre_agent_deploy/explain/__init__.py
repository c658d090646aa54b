"""What each Problem's code means, why it happens and what to do: a page for every code, in docs/problems."""
