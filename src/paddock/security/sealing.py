"""Sealed texts: JWE in compact form. What a text is about is sealed with it, so that no two can be exchanged.

The library that does it takes most of half a second to import, and few commands need it, so that happens on first use.
Call from a worker thread.
"""

import json
import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any, Final, Self

from paddock.errors import Corrupt

if TYPE_CHECKING:
    from joserfc.jwe import JWERegistry

SEALED_BYTES_MAX: Final = 64 * 1024 * 1024
KEY_BYTES: Final = 32
# A key of its own for every text, wrapped: no number of texts wears the outer key out.
_BY_KEY: Final = {"alg": "A256KW", "enc": "A256GCM"}
# As many rounds as the library lets anybody ask for; a passphrase is stretched by them.
_BY_PASSPHRASE: Final = {"alg": "PBES2-HS512+A256KW", "enc": "A256GCM", "p2c": 300_000}


@dataclass(frozen=True, slots=True)
class SealingKey:
    """A key by its id. The id says nothing about the key."""

    id: str
    secret: bytes = field(repr=False)

    @classmethod
    def new(cls, kind: str) -> Self:
        """A random one. `kind` begins its id."""
        return cls(f"{kind}-{secrets.token_hex(8)}", secrets.token_bytes(KEY_BYTES))


def seal(plain: bytes, key: SealingKey, *, about: str) -> str:
    """`plain`, so that only `key` opens it, and only as what it is about."""
    return _encrypt(plain, key.secret, {**_BY_KEY, "kid": key.id, "about": about})


def unseal(sealed: str, key: SealingKey, *, about: str) -> bytes:
    """What `seal` was given. Raises Corrupt when the text was altered, or sealed with another key or about something else."""
    plain, header = _decrypt(sealed, key.secret, about)
    if header.get("about") != about or header.get("kid") != key.id:
        raise _broken(about)
    return plain


def seal_with_passphrase(plain: bytes, passphrase: str, *, about: str) -> str:
    """`plain`, so that whoever knows the passphrase opens it. Takes about half a second, on purpose."""
    return _encrypt(plain, passphrase.encode(), {**_BY_PASSPHRASE, "about": about})


def unseal_with_passphrase(sealed: str, passphrase: str, *, about: str) -> bytes:
    """What `seal_with_passphrase` was given. Raises Corrupt, also for a wrong passphrase: nothing tells the two apart."""
    plain, header = _decrypt(sealed, passphrase.encode(), about)
    if header.get("about") != about:
        raise _broken(about)
    return plain


def _encrypt(plain: bytes, secret: bytes, header: dict[str, Any]) -> str:
    from joserfc import jwe
    from joserfc.jwk import OctKey

    return jwe.encrypt_compact(header, plain, OctKey.import_key(secret), registry=_registry())


def _decrypt(sealed: str, secret: bytes, about: str) -> tuple[bytes, dict[str, Any]]:
    from joserfc import jwe
    from joserfc.errors import JoseError
    from joserfc.jwk import OctKey

    try:
        opened = jwe.decrypt_compact(sealed, OctKey.import_key(secret), registry=_registry())
    except (JoseError, ValueError, TypeError, KeyError, AssertionError, UnicodeError) as error:
        raise _broken(about) from error
    if opened.plaintext is None:
        raise _broken(about)
    return opened.plaintext, dict(opened.headers())


@cache
def _registry() -> "JWERegistry":
    from joserfc.jwe import JWERegistry

    algorithms = [_BY_KEY["alg"], str(_BY_PASSPHRASE["alg"]), _BY_KEY["enc"]]
    registry = JWERegistry(algorithms=algorithms, strict_check_header=False)
    registry.max_ciphertext_length = SEALED_BYTES_MAX
    return registry


def key_id_of(sealed: str) -> str | None:
    """The id of the key that a text says to be sealed with. Nothing vouches for it before the text is opened."""
    from joserfc.util import urlsafe_b64decode

    try:
        header: Any = json.loads(urlsafe_b64decode(sealed.partition(".")[0].encode()))
        return str(header["kid"])
    except (ValueError, KeyError, TypeError):
        return None


def _broken(about: str) -> Corrupt:
    return Corrupt(
        f"What is sealed as `{about}` does not open: it was altered, or sealed with another key.",
        hint="Restore it from a backup: `paddock vault restore FILE`.",
    )
