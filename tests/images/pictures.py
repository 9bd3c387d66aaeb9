"""Small pictures for tests, in the formats that people send."""

import base64
from io import BytesIO
from typing import Any

from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def encoded(image: Image.Image, name: str = "PNG", **options: Any) -> bytes:
    """The file that `image` is saved as."""
    file = BytesIO()
    image.save(file, format=name, **options)
    return file.getvalue()


def quarters(width: int = 40, height: int = 20) -> Image.Image:
    """Red and green above blue and white: whatever way it is turned, it can be told."""
    image = Image.new("RGB", (width, height))
    halves = width // 2, height // 2
    for colour, corner in ((RED, (0, 0)), (GREEN, (1, 0)), (BLUE, (0, 1)), (WHITE, (1, 1))):
        image.paste(
            colour,
            (
                corner[0] * halves[0],
                corner[1] * halves[1],
                *((width, height) if all(corner) else ((corner[0] + 1) * halves[0], (corner[1] + 1) * halves[1])),
            ),
        )
    return image


def plain(colour: tuple[int, int, int] = RED, side: int = 8) -> bytes:
    """A PNG of one colour."""
    return encoded(Image.new("RGB", (side, side), colour))


def data_uri(data: bytes, media_type: str = "image/png") -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


def corners(pixels: bytes, width: int, height: int) -> list[tuple[int, ...]]:
    """What colour it has top left, top right, bottom left, bottom right."""
    places = ((0, 0), (width - 1, 0), (0, height - 1), (width - 1, height - 1))
    return [tuple(pixels[3 * (y * width + x) :][:3]) for x, y in places]
