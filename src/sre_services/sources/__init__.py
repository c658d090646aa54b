"""Systems outside from which providers answer: their settings, the HTTP client, and what is said when they don't answer."""
