"""Pictures of one's own, as a request takes them: whoever answers, here or behind a server, needs no way to the file."""

import base64
from pathlib import Path
from typing import Final

from paddock.errors import InvalidImage, TooLarge
from paddock.images.containers import media_type_of
from paddock.units import human_bytes
from paddock.vocabulary import Picture

_BYTES_MAX: Final = 64_000_000  # more than any server takes; whoever answers has a limit of its own
_ELSEWHERE: Final = ("http://", "https://", "data:")


def picture(source: str | Path, *, at: int = 0) -> Picture:
    """The picture in a file, or at an address, which whoever answers fetches. Blocks while the file is read.

    `at`: so many characters of the message's text come before it. Raises InvalidImage, TooLarge.
    """
    if isinstance(source, str) and source.lower().startswith(_ELSEWHERE):
        return Picture(at=at, source=source)
    path = Path(source).expanduser()
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
    except (OSError, ValueError) as error:
        raise InvalidImage(
            f"The picture `{source}` cannot be read: {getattr(error, 'strerror', None) or 'that is no path'}.",
            hint="Check the path.",
        ) from error
    if len(data) > _BYTES_MAX:
        raise TooLarge(f"The picture `{source}` is larger than {human_bytes(_BYTES_MAX)}.", hint="Send a smaller one.")
    encoded = base64.b64encode(data).decode()
    return Picture(at=at, source=f"data:{media_type_of(data)};base64,{encoded}")
