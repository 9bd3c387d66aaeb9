"""Signatures of thoughts. Anthropic's clients keep one with each thought and give both back with the conversation.

A thought that is shown has its own text to come back with, and a signature that says nothing. One that the caller wants left
out travels in its signature, so that the conversation goes on with it.
"""

import base64
import binascii
import hashlib
from typing import Final

_SHOWN: Final = "paddock-"
_HIDDEN: Final = "paddock-thought-"
_DIGITS: Final = 24


def signature_of(thought: str, *, shown: bool) -> str:
    """What goes out with `thought`."""
    if shown:
        return _SHOWN + hashlib.sha256(thought.encode()).hexdigest()[:_DIGITS]
    return _HIDDEN + base64.b64encode(thought.encode()).decode()


def thought_in(signature: str) -> str:
    """The thought that a signature carries; empty for those that carry none, such as another service's."""
    if not signature.startswith(_HIDDEN):
        return ""
    try:
        return base64.b64decode(signature.removeprefix(_HIDDEN), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
