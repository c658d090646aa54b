"""Amazon ECR: an image is named by the digest of its manifest."""

from __future__ import annotations

import hashlib
from typing import Any

from embedded_aws.strict.patching import patch


def compute_digests() -> None:
    """Derive the digest from the manifest, as a registry does; moto takes one of a hundred random ones, so two images may share it.

    https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
    """
    from moto.ecr.models import Image

    @patch(Image, "_create_digest")
    def _create_digest(original: Any, self: Any) -> None:
        self._image_digest = f"sha256:{hashlib.sha256(self.image_manifest.encode()).hexdigest()}"
