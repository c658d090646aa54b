"""How well the assistant diagnoses: datasets, runners, scores."""
