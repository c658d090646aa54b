"""Encrypt the secrets of a data backup with a passphrase: scrypt makes the key, Fernet encrypts and authenticates (pure).

The first line says how the key was made, the second is Fernet's token.
"""

from __future__ import annotations

import base64
import json
import os
from typing import Any

from sre_core.problem import Problem
from sre_core.secret import Secret

PASSPHRASE_VARIABLE = "SRE_AGENT_BACKUP_PASSPHRASE"  # noqa: S105  # the name of a variable
SHORTEST = 12
# Cost and block size: https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html#scrypt
_COST, _BLOCKS = 2**17, 8
_HIGHEST_COST = 2**20


def seal(content: bytes, passphrase: Secret) -> bytes:
    """Encrypt content with a key that is made of the passphrase and a new salt."""
    from cryptography.fernet import Fernet

    how = {"cost": _COST, "kdf": "scrypt", "salt": base64.b64encode(os.urandom(16)).decode()}
    return json.dumps(how).encode() + b"\n" + Fernet(_derive_key(how, passphrase)).encrypt(content) + b"\n"


def unseal(sealed: bytes, passphrase: Secret) -> bytes | Problem:
    """Decrypt what `seal` made. The wrong passphrase and changed content are one problem: nobody can tell them apart."""
    from cryptography.fernet import Fernet, InvalidToken

    line, _, token = sealed.partition(b"\n")
    try:
        return Fernet(_derive_key(json.loads(line), passphrase)).decrypt(token.strip())
    except (InvalidToken, ValueError, KeyError, TypeError):
        return _wrong()


def judge_passphrase(passphrase: Secret) -> Problem | None:
    """Refuse a passphrase that is guessed quickly."""
    return _short() if len(passphrase.reveal()) < SHORTEST else None


def _derive_key(how: dict[str, Any], passphrase: Secret) -> bytes:
    from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

    # A cost from a file that was edited could take all memory.
    if how["kdf"] != "scrypt" or not 1 < how["cost"] <= _HIGHEST_COST:
        raise ValueError(how["kdf"])
    salt = base64.b64decode(how["salt"], validate=True)
    return base64.urlsafe_b64encode(Scrypt(salt=salt, length=32, n=how["cost"], r=_BLOCKS, p=1).derive(passphrase.reveal().encode()))


def _short() -> Problem:
    return Problem(
        code="BACKUP-PASSPHRASE-SHORT",
        what=f"The passphrase has fewer than {SHORTEST} characters. Nothing was written.",
        why="Anyone who gets the file could guess it, and would have every secret in it.",
        do=("Let one be generated, and keep it where the backup is not: openssl rand -base64 24",),
    )


def _wrong() -> Problem:
    return Problem(
        code="BACKUP-PASSPHRASE-WRONG",
        what="The secrets in the backup can't be decrypted. Nothing was changed.",
        why="The passphrase is another one, or the encrypted part was changed.",
        do=(
            "Give the passphrase that this backup was made with: --passphrase-file FILE.",
            "Or restore all but the secrets: leave the passphrase out. They are then made again.",
        ),
    )
