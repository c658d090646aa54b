"""Download pip's wheel, checked against the index's SHA-256, for a Python that came without pip. Runs on Python 3.8."""

import hashlib
import json
import os
import sys
import urllib.request
from pathlib import Path

INDEX = os.environ.get("PIP_INDEX_URL", "https://pypi.org/simple").rstrip("/")
# The last pip that runs on Python 3.8; it only has to install uv.
WHEEL = "pip-25.0.1-py3-none-any.whl"


def main(target: str) -> None:
    request = urllib.request.Request(INDEX + "/pip/", headers={"Accept": "application/vnd.pypi.simple.v1+json"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        files = json.load(answer)["files"]
    wheel = next(file for file in files if file["filename"] == WHEEL)
    with urllib.request.urlopen(wheel["url"], timeout=60) as answer:
        body = answer.read()
    if hashlib.sha256(body).hexdigest() != wheel["hashes"]["sha256"]:
        sys.exit("The download of {} is damaged; run the same command again.".format(wheel["filename"]))
    Path(target).write_bytes(body)


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except OSError as error:
        sys.exit(f"pip could not be downloaded from {INDEX}: {error}. Check the network or proxy, or install python3-pip.")
