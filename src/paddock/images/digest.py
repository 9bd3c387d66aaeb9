"""The name of a picture: what pixels it has, wherever they came from."""

import hashlib


def digest_of(pixels: bytes, width: int, height: int) -> str:
    """SHA-256 over its size and its pixels: as many bytes may be a wide picture or a high one."""
    digest = hashlib.sha256(f"{width}x{height}:".encode())
    digest.update(pixels)
    return digest.hexdigest()
