"""What the services wrote: searched, counted and grouped into templates."""
