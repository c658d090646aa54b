"""The AWS that a deployment is for: an account and region of Amazon's, or the AWS of this machine, and what is there already."""
