"""What `--json` writes. Its form is that of the admin API."""

import msgspec

from paddock.server.documents import encode


def json_document(value: object) -> str:
    """One document, indented for the eye."""
    return msgspec.json.format(encode(value), indent=2).decode() + "\n"


def json_line(value: object) -> str:
    """The same on one line."""
    return encode(value).decode() + "\n"
