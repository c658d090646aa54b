"""What the identities of this account may do: every request is authorized as IAM does it."""
