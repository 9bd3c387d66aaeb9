"""Every picture that people send comes out as the pixels that they see, and nothing else comes out at all."""

import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from paddock.errors import InvalidImage, PaddockError, TooLarge
from paddock.images.decoding import Decoded, decode
from paddock.images.digest import digest_of
from tests.images.pictures import BLUE, GREEN, RED, WHITE, corners, encoded, plain, quarters

SEEN = [RED, GREEN, BLUE, WHITE]


def read(data: bytes, claimed: str = "", *, side: int = 2048, pixels: int = 1_000_000) -> Decoded:
    return decode(data, claimed, side_px_max=side, pixels_max=pixels)


def near(seen: list[tuple[int, ...]], wanted: list[tuple[int, ...]]) -> bool:
    """As near as JPEG and CMYK come."""
    pairs = zip(seen, wanted, strict=True)
    return all(abs(a - b) <= 6 for one, other in pairs for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("PNG", {}),
        ("PNG", {"interlace": True}),
        ("BMP", {}),
        ("WEBP", {"lossless": True}),
        ("WEBP", {"quality": 95}),
        ("JPEG", {"quality": 98, "subsampling": 0}),
        ("JPEG", {"quality": 98, "subsampling": 0, "progressive": True}),
    ],
)
def test_each_format_shows_what_was_saved(name: str, options: dict[str, Any]) -> None:
    picture = read(encoded(quarters(), name, **options))
    assert (picture.width, picture.height, len(picture.pixels)) == (40, 20, 40 * 20 * 3)
    assert near(corners(picture.pixels, 40, 20), SEEN)
    assert picture.whole == (40, 20)
    assert picture.digest == digest_of(picture.pixels, 40, 20)


@pytest.mark.parametrize("mode", ["P", "CMYK"])
def test_palettes_and_inks_become_colours(mode: str) -> None:
    name = "JPEG" if mode == "CMYK" else "PNG"
    options: dict[str, Any] = {"quality": 98, "subsampling": 0} if mode == "CMYK" else {}
    picture = read(encoded(quarters().convert(mode), name, **options))
    assert near(corners(picture.pixels, 40, 20), SEEN)


@pytest.mark.parametrize(("mode", "white"), [("1", 1), ("L", 255), ("I;16", 65535)])
def test_greys_of_one_and_eight_and_sixteen_bits(mode: str, white: int) -> None:
    image = Image.new(mode, (2, 1))
    image.putpixel((1, 0), white)
    assert read(encoded(image)).pixels == bytes((0, 0, 0, 255, 255, 255))


def test_sixteen_bits_are_scaled_and_not_cut_off() -> None:
    """Pillow alone would make white of everything above 255."""
    image = Image.new("I;16", (3, 1))
    for x, value in enumerate((0x0100, 0x8000, 0xFE00)):
        image.putpixel((x, 0), value)
    assert [read(encoded(image)).pixels[3 * x] for x in range(3)] == [1, 128, 253]


def test_sixteen_bits_a_colour() -> None:
    row = struct.pack(">6H", 65535, 0, 0, 0, 32768, 65535)
    assert read(png(2, 1, b"\0" + row, depth=16, colour=2)).pixels == bytes((255, 0, 0, 0, 128, 255))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_what_can_be_seen_through_stands_on_white(mode: str) -> None:
    """On black, which is what dropping the alpha channel gives, a logo in black could not be seen."""
    image = Image.new("RGBA", (3, 1), (0, 0, 0, 0))
    image.putpixel((1, 0), (0, 0, 0, 128))
    image.putpixel((2, 0), (0, 0, 0, 255))
    if mode == "PA":
        image = Image.new("P", (3, 1), 0)
        image.putpalette((0, 0, 0, 0, 0, 0, 0, 0, 0))
        for x in range(3):
            image.putpixel((x, 0), x)
        data = encoded(image, transparency=bytes((0, 128, 255)))
    else:
        data = encoded(image.convert(mode))
    picture = read(data)
    assert [picture.pixels[3 * x] for x in range(3)] == [255, 127, 0]


@pytest.mark.parametrize("name", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    ("orientation", "seen"),
    [
        (1, [RED, GREEN, BLUE, WHITE]),
        (2, [GREEN, RED, WHITE, BLUE]),
        (3, [WHITE, BLUE, GREEN, RED]),
        (4, [BLUE, WHITE, RED, GREEN]),
        (5, [RED, BLUE, GREEN, WHITE]),
        (6, [BLUE, RED, WHITE, GREEN]),
        (7, [WHITE, GREEN, BLUE, RED]),
        (8, [GREEN, WHITE, RED, BLUE]),
    ],
)
def test_a_camera_s_note_of_how_it_was_held_is_heeded(name: str, orientation: int, seen: list[tuple[int, ...]]) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    options: dict[str, Any] = {"quality": 98} if name == "JPEG" else {}
    picture = read(encoded(quarters(80, 40), name, exif=exif, **options), side=40)
    assert near(corners(picture.pixels, picture.width, picture.height), seen)
    size, whole = ((20, 40), (40, 80)) if orientation > 4 else ((40, 20), (80, 40))
    assert ((picture.width, picture.height), picture.whole) == (size, whole)


def test_a_note_that_cannot_be_read_does_not_spoil_the_picture() -> None:
    data = encoded(quarters(), "JPEG", quality=98, exif=b"Exif\0\0II*\0\xff\xff\xff\xff nonsense")
    assert read(data).width == 40


@pytest.mark.parametrize("name", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_picture_is_taken(name: str) -> None:
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    options: dict[str, Any] = {"lossless": True} if name == "WEBP" else {}
    data = encoded(frames[0], name, save_all=True, append_images=frames[1:], duration=100, loop=0, **options)
    assert near(corners(read(data).pixels, 4, 4), [RED] * 4)


@pytest.mark.parametrize(
    ("width", "height", "fitted"), [(300, 100, (64, 21)), (100, 300, (21, 64)), (3000, 1, (64, 1))]
)
def test_a_large_picture_is_shrunk_in_its_shape(width: int, height: int, fitted: tuple[int, int]) -> None:
    for name in ("PNG", "JPEG"):
        picture = read(encoded(Image.new("RGB", (width, height), GREEN), name), side=64)
        assert (picture.width, picture.height) == fitted
        assert picture.whole == (width, height)
        assert near([tuple(picture.pixels[:3])], [GREEN])


def test_shrinking_averages_and_does_not_skip() -> None:
    """A filter that takes every fourth pixel would make this black or white."""
    image = Image.new("L", (256, 256))
    image.putdata([255 * ((x + y) % 2) for y in range(256) for x in range(256)])
    picture = read(encoded(image), side=64)
    assert all(120 <= value <= 135 for value in picture.pixels)


def test_the_same_picture_has_the_same_digest_whatever_file_it_was() -> None:
    assert read(encoded(quarters())).digest == read(encoded(quarters(), "BMP")).digest
    assert digest_of(bytes(12), 4, 1) != digest_of(bytes(12), 2, 2)


# What is no picture


def png(width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 2) -> bytes:
    """A PNG as its specification has it, whatever is true about it."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


GIF = encoded(quarters(), "GIF")
WEBP = encoded(quarters(), "WEBP")
JPEG = encoded(quarters(200, 200), "JPEG")
PNG = encoded(quarters())
ZIP = b"PK\x03\x04" + bytes(40)
SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'

REFUSED = {
    "svg": (SVG, "", "SVG"),
    "svg called png": (SVG, "image/png", "SVG"),
    "html": (b"\n <!DOCTYPE html><html><body>hi</body></html>", "image/jpeg", "a page"),
    "pdf": (b"%PDF-1.7 and so on", "", "PDF"),
    "tiff": (encoded(quarters(), "TIFF"), "image/tiff", "TIFF"),
    "heic": (b"\0\0\0\x18ftypheic" + bytes(40), "", "HEIC"),
    "zip": (ZIP, "", "archive"),
    "nothing": (b"", "", "no format"),
    "noise": (bytes(range(256)), "", "no format"),
    "png called jpeg": (PNG, "image/jpeg", "is PNG"),
    "png called svg": (PNG, "image/svg+xml", "is PNG"),
    "png called text": (PNG, "text/html", "is PNG"),
    "png and archive": (PNG + ZIP, "", "Another file"),
    "jpeg and archive": (JPEG + ZIP, "", "Another file"),
    "gif and page": (GIF + b"\n<html><script>alert(1)</script>", "", "Another file"),
    "webp and program": (WEBP + b"\x7fELF" + bytes(9), "", "Another file"),
    "bmp and pdf": (encoded(quarters(), "BMP") + b"%PDF-1.4", "", "Another file"),
    "half a png": (PNG[: len(PNG) // 2], "", "end too early"),
    "half a jpeg": (JPEG[: len(JPEG) // 2], "", "end too early"),
    "half a gif": (GIF[: len(GIF) // 2], "", "end too early"),
    "half a webp": (WEBP[: len(WEBP) // 2], "", "end too early"),
    "half a bmp": (encoded(quarters(), "BMP")[:200], "", "end too early"),
    "a header only": (b"\x89PNG\r\n\x1a\n", "", "end too early"),
    "a png without rows": (png(20, 20, b""), "", "end too early"),
    "a flipped bit": (PNG[:20] + bytes((PNG[20] ^ 1,)) + PNG[21:], "", "broken"),
    "no height": (png(20, 0, b""), "", "broken"),
    "parts without end": (b"\xff\xd8\xff" + b"\xff\xfe\0\2" * 300_000, "", "parts"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_picture_is_refused_by_what_it_is(case: str) -> None:
    data, claimed, said = REFUSED[case]
    with pytest.raises(InvalidImage) as error:
        read(data, claimed)
    assert said in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("claimed", ["image/png", "", "application/octet-stream", "image/x-png"])
def test_a_true_name_or_none_is_fine(claimed: str) -> None:
    assert read(PNG, claimed).width == 40


@pytest.mark.parametrize("tail", [b"\0" * 100, b"\r\n", JPEG, b"some camera's own notes"])
def test_what_cameras_write_behind_a_picture_does_no_harm(tail: bytes) -> None:
    """Phones put a second picture or notes of their own there."""
    assert read(JPEG + tail).width == 200


def test_a_bomb_is_known_by_its_header() -> None:
    """30,000 x 30,000 pixels in 100 KB, which would be 2.7 GB: no pixel of it is made."""
    for width, height in ((30_000, 30_000), (200_000, 5), (2_000_000_000, 2_000_000_000)):
        with pytest.raises(TooLarge) as error:
            read(png(width, height, bytes(1000)), pixels=900_000)
        assert "pixels" in error.value.message


@pytest.mark.parametrize("name", ["PNG", "JPEG", "WEBP", "GIF", "BMP"])
def test_broken_files_are_refused_or_read_and_nothing_else(name: str) -> None:
    """Whatever a decoder makes of damage, it is a failure of the request or a picture."""
    whole = encoded(quarters(), name)
    for at in range(0, len(whole), max(1, len(whole) // 60)):
        for value in (0x00, 0xFF, whole[at] ^ 0x80):
            try:
                picture = read(whole[:at] + bytes((value,)) + whole[at + 1 :])
            except PaddockError:
                continue
            assert len(picture.pixels) == 3 * picture.width * picture.height


def test_plain_pictures_are_plain() -> None:
    assert read(plain(BLUE, 3)).pixels == bytes(BLUE) * 9
