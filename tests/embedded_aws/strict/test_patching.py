"""A release of moto whose private parts have moved is noticed at the start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from embedded_aws.strict.patching import MotoMoved, patch, replace

_WITHOUT = "import moto.s3.responses as part; del part.S3Response.get_bucket_versioning"
_OTHERWISE = "import moto.cognitoidp.models as part; part.CognitoIdpBackend.delete_user_pool = lambda self, pool, force: None"


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (_WITHOUT, "moto.s3.responses.S3Response.get_bucket_versioning does not exist"),
        (_OTHERWISE, "CognitoIdpBackend.delete_user_pool takes (self, pool, force), not (self, user_pool_id, …)"),
    ],
)
def test_start_with_another_moto(change: str, part: str, tmp_path: Path) -> None:
    """The local AWS refuses to start and names the part, the reason and the remedy, without a traceback."""
    start = f"{change}\nimport sys; from embedded_aws.cli import main; sys.exit(main(['serve', '--state-dir', {str(tmp_path)!r}]))"
    ended = subprocess.run([sys.executable, "-c", start], capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 1
    assert "EMBEDDED-AWS-OTHER-MOTO" in ended.stderr
    assert part in ended.stderr
    assert "pip install" in ended.stderr
    assert "Traceback" not in ended.stderr


class _Owner:
    def method(self, first: str, second: int = 0) -> str:
        return f"{first}{second}"


def test_patched_method_gets_the_original() -> None:
    """A replacement may call what it replaces, and may leave out the last parameters."""

    @patch(_Owner, "method")
    def method(original: Any, self: Any, first: str, *rest: Any) -> str:
        return f"<{original(self, first, *rest)}>"

    assert _Owner().method("a", 1) == "<a1>"


def test_parts_that_do_not_exist() -> None:
    """A missing part and a renamed parameter are refused when they are replaced, not when they are first called."""
    with pytest.raises(MotoMoved, match="other does not exist"):
        replace(_Owner, "other", None)

    def renamed(original: Any, self: Any, third: str) -> None:
        """Names a parameter that the original does not have."""

    with pytest.raises(MotoMoved, match="third"):
        patch(_Owner, "method")(renamed)
