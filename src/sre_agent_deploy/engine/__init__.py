"""From what is wanted to what is there, and back: what apply, cleanup and rollback share. Dies anywhere, and goes on."""
