"""How moto is set before it is first imported: it reads these once, at import."""

from __future__ import annotations

import os

_SETTINGS = {
    # moto would answer a CORS preflight from any origin: a web page could then call this AWS.
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    # AWS refuses AMIs, instance types and key pairs that don't exist; moto only with these.
    "MOTO_ENABLE_AMI_VALIDATION": "true",
    "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
    "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
    # AmazonSSMManagedInstanceCore and the others exist on AWS.
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    # The endpoint is an address, so a bucket's name is always in the path.
    "S3_IGNORE_SUBDOMAIN_BUCKETNAME": "true",
    "MOTO_S3_DEFAULT_MAX_KEYS": "1000",
    "MOTO_ACM_VALIDATION_WAIT": "0",
    "MOTO_ACCOUNT_ID": "123456789012",
}


def apply() -> None:
    """Set what moto reads, and clear the real AWS of this machine out of this process."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        del os.environ[name]
    os.environ.update(_SETTINGS)
