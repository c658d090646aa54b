"""The state of a deployment, from which a run resumes: its records, its lock, and the file or S3 object that keeps it."""
