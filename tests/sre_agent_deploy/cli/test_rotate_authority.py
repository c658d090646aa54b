"""`rotate ca` and `rotate all`, as they are typed, where the authority is not this tool's or an exchange stopped before its end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from fixtures.embedded import EmbeddedAws

type Typed = Callable[..., tuple[int, str, str]]


def test_rotate_the_authority(local_folder: Path, typed: Typed, unbooted: EmbeddedAws) -> None:
    """An exchange goes on with its last deployment; of all parts an authority of others is left out, and alone it is refused."""
    assert typed("deploy", "--target", "backend_key")[0] == 0
    document, ended = json.loads((local_folder / "config.yaml").read_text()), unbooted.state_dir / "local-ca" / "ended.pem"
    # A deployment stops at once at a bucket that is named and does not exist.
    (local_folder / "config.yaml").write_text(json.dumps({**document, "gateway": {"s3_bucket": f"absent-{document['name']}"}}))
    ended.write_text((ended.parent / "ca.pem").read_text())
    try:
        code, out, err = typed("rotate", "ca")
        assert (code, "CA 3 of 3" in out, "CA 1 of 3" in out, "NAMED-NOT-FOUND" in err) == (1, True, False, True), out + err
        assert ended.exists()
    finally:
        ended.unlink()

    acme = {"tls": {"source": "letsencrypt", "directory_url": "https://127.0.0.1:1/dir"}, "deployment": {"domain_name": "sre.example.com"}}
    (local_folder / "config.yaml").write_text(json.dumps({**document, **acme}))
    code, out, err = typed("rotate", "all")
    assert (code, "CA: left as it is" in out, "ROTATE-INCOMPLETE" in err) == (1, True, True), out + err
    code, out, err = typed("rotate", "ca")
    assert (code, "ROTATE-CA-NOT-OURS" in err) == (1, True), out + err
    (local_folder / "config.yaml").write_text(json.dumps(document))
