"""Log records of services: searched, counted and grouped into templates."""
