"""Nothing a user wrote is lost: backups, restoring them, and what to do where two values differ."""
