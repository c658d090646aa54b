"""Back up a configuration, restore it, and resolve conflicts, so that nothing that a user wrote is lost."""
