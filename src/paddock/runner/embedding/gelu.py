"""The exact GELU in NumPy, which has no error function: x · ½(1 + erf(x / √2)), by a fraction of two polynomials."""

from typing import Final

import numpy as np

from paddock.runner.embedding.encoder import Floats

_PIECE: Final = 16_384  # numbers worked on at a time: they stay in the nearest cache
_EDGE: Final = 4.0  # beyond it float32 knows no difference from one
# erf(z) = z · above(z²) / below(z²) on [-4, 4], to the last bits of float32; from the highest power down.
_ABOVE: Final = (
    -2.72614225801306e-10,
    2.77068142495902e-08,
    -2.10102402082508e-06,
    -5.69250639462346e-05,
    -7.34990630326855e-04,
    -2.95459980854025e-03,
    -1.60960333262415e-02,
)
_BELOW: Final = (
    -1.45660718464996e-05,
    -2.13374055278905e-04,
    -1.68282697438203e-03,
    -7.37332916720468e-03,
    -1.42647390514189e-02,
)
_ROOT: Final = float(np.sqrt(0.5))


def gelu(numbers: Floats) -> None:
    """In place. `numbers` lie one behind the other."""
    flat = numbers.reshape(-1)
    assert flat.base is not None, "written to where they are"
    size = min(_PIECE, flat.size)
    room = np.empty((4, size), np.float32)
    for start in range(0, flat.size, size):
        part = flat[start : start + size]
        z, square, above, below = room[:, : part.size]
        np.multiply(part, _ROOT, out=z)
        np.clip(z, -_EDGE, _EDGE, out=z)
        np.multiply(z, z, out=square)
        _polynomial(_ABOVE, square, above)
        _polynomial(_BELOW, square, below)
        above *= z
        above /= below
        above += 1
        part *= above
        part *= 0.5


def _polynomial(powers: tuple[float, ...], at: Floats, into: Floats) -> None:
    np.multiply(at, powers[0], out=into)
    into += powers[1]
    for power in powers[2:]:
        into *= at
        into += power
