"""One picture: from the bytes of a file to rows of RGB, upright, on white, no larger than it may be.

Called in worker threads. Its size is read from its header and judged before a pixel takes memory. Everything that the
libraries behind it raise over bytes of strangers is an InvalidImage.
"""

import threading
import warnings
from dataclasses import dataclass
from importlib import import_module
from io import BytesIO
from typing import TYPE_CHECKING, Final

from paddock.errors import InvalidImage, PaddockError, TooLarge
from paddock.images.containers import FORMATS, format_of
from paddock.images.digest import digest_of

if TYPE_CHECKING:
    from PIL.Image import Image, Transpose

_LARGE_PIXELS: Final = 8_000_000  # one of more is decoded at a time: it takes ten bytes a pixel meanwhile
_SHRINKABLE: Final = ("L", "RGB", "CMYK")  # as they are, before they take more memory as RGB
_ORIENTATION: Final = 0x0112
_one_large: Final = threading.Lock()


@dataclass(frozen=True, slots=True, kw_only=True)
class Decoded:
    """A picture that a runner takes."""

    pixels: bytes
    width: int
    height: int
    digest: str
    whole: tuple[int, int]  # width and height as they came; larger when it was shrunk


def decode(data: bytes, claimed: str, *, side_px_max: int, pixels_max: int) -> Decoded:
    """What `data` shows. `claimed` is the media type that it was given, or empty. Raises InvalidImage, TooLarge."""
    name = format_of(data, claimed)
    # The other formats come by themselves; with this one there, Pillow need not look for all that it has.
    import_module("PIL.WebPImagePlugin")
    from PIL import Image

    # Its remarks on what strangers wrote beside their pictures are for nobody, and sizes are judged here.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        with Image.open(BytesIO(data), formats=(name,)) as image:
            width, height = image.size
            if width * height > pixels_max:
                raise _too_many_pixels(width, height, pixels_max)
            if width * height <= _LARGE_PIXELS:
                return _decoded(image, side_px_max)
            with _one_large:
                return _decoded(image, side_px_max)
    except PaddockError:
        raise
    except Image.DecompressionBombError as error:
        raise TooLarge(
            f"A picture has more than {pixels_max} pixels.", hint="Send a smaller one, or raise `images.pixels_max`."
        ) from error
    except Exception as error:  # the boundary to decoders of strangers' bytes, which raise whatever they like
        raise InvalidImage(
            f"A picture cannot be read: its {name} data are broken or end too early.", hint=f"Send a whole {FORMATS}."
        ) from error


def _decoded(image: "Image", side_px_max: int) -> Decoded:
    from PIL.Image import Resampling

    width, height = image.size
    fitting = _fitting(width, height, side_px_max)
    if image.format in ("JPEG", "MPO"):  # its decoder can leave out what would be thrown away
        image.draft(None, (2 * fitting[0], 2 * fitting[1]))
    image.load()
    turn = _turn(image)
    flat = image
    if image.mode not in _SHRINKABLE or "transparency" in image.info:
        flat = _on_white(image)
    if flat.size != fitting:
        flat = flat.resize(fitting, Resampling.LANCZOS, reducing_gap=2.0)
    if flat.mode != "RGB":
        flat = _on_white(flat)
    if turn is not None:
        flat = flat.transpose(turn)
        if flat.size != fitting:
            width, height = height, width
    pixels = flat.tobytes()
    return Decoded(
        pixels=pixels,
        width=flat.width,
        height=flat.height,
        digest=digest_of(pixels, flat.width, flat.height),
        whole=(width, height),
    )


def _fitting(width: int, height: int, side_px_max: int) -> tuple[int, int]:
    """The size of the same shape whose longer side is no longer than `side_px_max`."""
    longer = max(width, height)
    if longer <= side_px_max:
        return width, height
    return max(1, round(width * side_px_max / longer)), max(1, round(height * side_px_max / longer))


def _turn(image: "Image") -> "Transpose | None":
    """How it is to be turned so that up is up."""
    from PIL.Image import Transpose

    turns = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }
    try:
        return turns.get(image.getexif().get(_ORIENTATION, 1))
    except Exception:  # noqa: BLE001  (what a camera wrote beside the picture may be anything; the picture is fine)
        return None


def _on_white(image: "Image") -> "Image":
    """RGB of eight bits, with white where it can be seen through."""
    from PIL.Image import new

    if image.mode.startswith("I;16"):
        # A grey of sixteen bits: 65535 is white. Pillow would cut off whatever is above 255.
        return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L").convert("RGB")
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        clear = image if image.mode == "RGBA" else image.convert("RGBA")
        white = new("RGB", clear.size, "white")
        white.paste(clear, mask=clear.getchannel("A"))
        return white
    return image if image.mode == "RGB" else image.convert("RGB")


def _too_many_pixels(width: int, height: int, pixels_max: int) -> TooLarge:
    return TooLarge(
        f"A picture of {width} x {height} pixels is larger than the {pixels_max} pixels that are taken.",
        hint="Send a smaller one, or raise `images.pixels_max`.",
    )
