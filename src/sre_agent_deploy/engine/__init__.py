"""The steps that apply, cleanup and rollback share. A run may die at any of them: the next run finds what it left and continues."""
