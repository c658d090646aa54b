"""Keeps the questions of sessions, so that a next one may refer to what it does not name: in SQLite on one machine, or in DynamoDB."""
