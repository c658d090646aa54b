"""Read the files that cloud-init would write for user data."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

# Above this a gzip body is no user data but an attack on memory: EC2 allows 16 KB.
_LARGEST = 1 << 20


def find_written_file(user_data: bytes, path: str) -> str | None:
    """Return the text that `write_files` of `#cloud-config` user data writes to `path`; None where it writes no such file.

    Raises ValueError where the user data is `#cloud-config` that can't be read.
    """
    text = _unzip(user_data).decode("utf-8", "replace")
    if not text.startswith("#cloud-config"):
        return None
    try:
        document = YAML(typ="safe", pure=True).load(text)
    except YAMLError as wrong:
        raise ValueError(f"the user data is no valid #cloud-config: {wrong}") from wrong
    files = document.get("write_files", []) if isinstance(document, dict) else []
    # The last one wins, as when cloud-init writes them in order.
    return next((_content(file) for file in reversed(files) if isinstance(file, dict) and file.get("path") == path), None)


def _content(file: dict[str, Any]) -> str:
    content, encoding = str(file.get("content", "")), str(file.get("encoding", "text/plain"))
    if "b64" not in encoding and "base64" not in encoding:
        return content
    try:
        return _unzip(base64.b64decode("".join(content.split()), validate=True)).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError) as wrong:
        raise ValueError(f"the content of {file.get('path')} is not {encoding}") from wrong


def _unzip(body: bytes) -> bytes:
    if not body.startswith(b"\x1f\x8b"):
        return body
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 16).decompress(body, _LARGEST)
    except zlib.error as wrong:
        raise ValueError("the user data is damaged gzip") from wrong
