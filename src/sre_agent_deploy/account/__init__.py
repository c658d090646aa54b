"""The AWS account and region of a deployment, Amazon's or local, and what exists there already."""
