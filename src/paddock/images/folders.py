"""Pictures by path: from folders that were named in the settings, for callers on this machine."""

import os
import stat
from pathlib import Path
from typing import Final

from paddock.errors import InvalidImage
from paddock.images.spelling import too_large

_NEVER_WAITS: Final = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC  # a pipe would wait for a writer


def read_file(path: str, folders: str, *, bytes_max: int) -> bytes:
    """The bytes of the file at `path` in one of `folders`, wherever links lead. Blocks. Raises InvalidImage, TooLarge.

    What is not there and what may not be read are the same to who asks.
    """
    allowed = [Path(folder).expanduser().resolve() for folder in folders.split(":") if folder]
    try:
        real = Path(path).resolve(strict=True)
        if not any(real.is_relative_to(folder) for folder in allowed):
            raise _not_here()
        descriptor = os.open(real, _NEVER_WAITS)
    except (OSError, ValueError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise _not_here() from error
    with os.fdopen(descriptor, "rb") as file:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise _not_here()
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise too_large(bytes_max)
    return data


def _not_here() -> InvalidImage:
    return InvalidImage(
        "A picture's path is not that of a file in a folder that pictures are read from.",
        hint="Name its folder in `images.folders`, or send the picture itself as a data URI.",
    )
