"""Everything this package says to AWS goes through here; no other module of it imports boto3."""

from sre_agent_deploy.aws.clients import Aws, Endpoint

__all__ = ["Aws", "Endpoint"]
