"""Pictures drawn by tests, in the form in which runners get them."""

from PIL import Image, ImageDraw

from paddock.images.digest import digest_of
from paddock.vocabulary import Message, Picture

COLOURS = {"red": (220, 30, 30), "green": (40, 160, 60), "blue": (40, 80, 210), "yellow": (245, 215, 50)}


def circle(colour: str = "red", *, width: int = 96, height: int = 96) -> Image.Image:
    """In the middle of a white sheet."""
    image = Image.new("RGB", (width, height), "white")
    radius = min(width, height) * 0.25
    box = (width / 2 - radius, height / 2 - radius, width / 2 + radius, height / 2 + radius)
    ImageDraw.Draw(image).ellipse(box, fill=COLOURS[colour])
    return image


def square(colour: str = "blue", *, width: int = 96, height: int = 96) -> Image.Image:
    image = Image.new("RGB", (width, height), "white")
    side = min(width, height) * 0.25
    box = (width / 2 - side, height / 2 - side, width / 2 + side, height / 2 + side)
    ImageDraw.Draw(image).rectangle(box, fill=COLOURS[colour])
    return image


def picture_of(image: Image.Image, *, at: int = 0) -> Picture:
    pixels = image.tobytes()
    return Picture(
        at=at,
        pixels=pixels,
        width=image.width,
        height=image.height,
        digest=digest_of(pixels, image.width, image.height),
    )


def said(role: str, *parts: str | Image.Image) -> Message:
    """A message of texts and pictures, in their order."""
    content, pictures = "", list[Picture]()
    for part in parts:
        if isinstance(part, str):
            content += part
        else:
            pictures.append(picture_of(part, at=len(content)))
    return Message(role=role, content=content, images=tuple(pictures))
