"""Who may ask. Keys are kept as hashes and compared in constant time."""

import hashlib
import hmac
from typing import Final

from paddock.errors import KeyMissing

ADMIN: Final = "admin"
LOCAL: Final = "local"  # the same person's programs on this machine, by the token in the state file
ANYONE: Final = ""  # no key was ever made: whoever reaches the loopback address


class Keys:
    """The keys of one server. Without an admin key it asks nobody for one."""

    def __init__(self, *, admin_key: str | None, token: str) -> None:
        self._users = {_digest(token): LOCAL}
        if admin_key:
            self._users[_digest(admin_key)] = ADMIN
        self.wanted = bool(admin_key)

    def user(self, key: str | None) -> str:
        """Whose key it is. Raises KeyMissing when one is wanted and this is none."""
        known = self._known(key) if key else None
        if known is not None:
            return known
        if not self.wanted:
            return ANYONE
        raise KeyMissing(
            "This key is not known here." if key else "This server wants a key.",
            hint="Send the server's key as `Authorization: Bearer …` or `x-api-key: …`.",
        )

    def _known(self, key: str) -> str | None:
        presented = _digest(key)
        found: str | None = None
        for digest, user in self._users.items():  # every one is compared, so that the time tells nothing
            if hmac.compare_digest(digest, presented):
                found = user
        return found


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()
