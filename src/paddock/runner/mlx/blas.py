"""A fast BLAS for MLX on Linux CPUs.

MLX's CPU wheel brings the reference BLAS, thirty times slower than a real one. The dynamic linker takes a symbol from the
first library that was loaded globally, so a real BLAS that is loaded globally *before* MLX does MLX's products. No compiler
and no `LD_PRELOAD` is needed. This module must therefore be used, and never itself import MLX, before MLX is imported.
"""

import ctypes
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psutil

REMEDY: Final = (
    "Install a fast BLAS: `apt install libopenblas0-pthread`, `dnf install openblas-threads`, "
    "or `pip install mkl` beside Paddock."
)
# What MLX calls. A library that lacks one of them (names with a prefix, 64-bit integers) would silently do nothing for us.
_SYMBOLS: Final = ("cblas_sgemm", "cblas_dgemm", "cblas_cgemm")
_OPENBLAS: Final = ("libopenblas.so.0", "libopenblasp.so.0", "libopenblas-pthread.so.0", "libopenblaso.so.0")
_OTHERS: Final = ("libblis-mt.so.4", "libblis.so.4", "libflexiblas.so.3", "libarmpl_lp64_mp.so")
_MKL: Final = ("libmkl_rt.so.3", "libmkl_rt.so.2", "libmkl_rt.so.1", "libmkl_rt.so")
# Debian keeps each build in a folder of its own; the plain name may point to a slower one.
_DEBIAN_FOLDERS: Final = ("openblas-pthread", "openblas-openmp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Blas:
    """Which library does the products."""

    name: str  # "openblas", "mkl", …; "reference" when MLX is left with its own slow one
    path: str | None = None
    threads: int | None = None
    remedy: str | None = None  # what to do about a slow one

    @property
    def fast(self) -> bool:
        return self.remedy is None

    def __str__(self) -> str:
        return self.name if self.threads is None else f"{self.name} ({self.threads} threads)"


def load_blas(*, threads: int | None = None, prefixes: Sequence[Path] | None = None) -> Blas | None:
    """Load the best BLAS there is into the global namespace; None where MLX brings a fast one (macOS).

    Idempotent: the first call of a process decides. `threads` defaults to the physical cores that we may use.
    `prefixes` are the Python environments in which to look for MKL.
    """
    if sys.platform != "linux":
        return None
    if not _loaded:
        _loaded.append(_load(threads or physical_cores(), prefixes or (Path(sys.prefix),)))
    return _loaded[0]


_loaded: Final[list[Blas]] = []  # one at most: a process has one


def candidates(prefixes: Sequence[Path]) -> Iterator[str]:
    """Names and paths to try, the best first. Names are resolved by the dynamic linker."""
    for folder in _DEBIAN_FOLDERS:
        for root in (Path("/usr/lib") / f"{os.uname().machine}-linux-gnu", Path("/usr/lib64"), Path("/usr/lib")):
            path = root / folder / "libopenblas.so.0"
            if path.is_file():
                yield str(path)
    yield from _OPENBLAS
    for prefix in prefixes:
        for name in _MKL:
            path = prefix / "lib" / name
            if path.is_file():
                yield str(path)
    yield from _MKL
    yield from _OTHERS


def physical_cores() -> int:
    """Cores that this process may use: hyperthreads share one multiplier, and containers see less than the machine has."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    physical = psutil.cpu_count(logical=False) or allowed
    return max(1, min(allowed, physical, _quota()))


def _quota() -> int:
    """Whole CPUs that the container's quota gives us, rounded up."""
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text().split()
        return max(1, -(-int(quota) // int(period)))
    except (OSError, ValueError):  # no cgroup, no limit ("max")
        return sys.maxsize


def _load(threads: int, prefixes: Sequence[Path]) -> Blas:
    if "mlx.core" in sys.modules:
        return Blas(name="reference", remedy="MLX was imported before its BLAS could be chosen. Restart the process.")
    for candidate in candidates(prefixes):
        name = "mkl" if "mkl" in candidate else Path(candidate).name.removeprefix("lib").split(".")[0].split("-")[0]
        if name == "mkl":
            # The layer that needs no runtime beyond the one that PyPI's package brings.
            os.environ.setdefault("MKL_THREADING_LAYER", "INTEL")
        if _fits(candidate):
            library = ctypes.CDLL(candidate, mode=ctypes.RTLD_GLOBAL)
            _set_threads(library, threads)
            return Blas(name=name, path=candidate, threads=threads)
    return Blas(name="reference", remedy=REMEDY)


def _fits(candidate: str) -> bool:
    """Whether it loads and has what MLX calls. Loaded locally first, so that a misfit leaves no symbols behind."""
    try:
        library = ctypes.CDLL(candidate, mode=ctypes.RTLD_LOCAL)
    except OSError:
        return False
    return all(hasattr(library, symbol) for symbol in _SYMBOLS)


def _set_threads(library: ctypes.CDLL, threads: int) -> None:
    for symbol in ("openblas_set_num_threads", "MKL_Set_Num_Threads", "bli_thread_set_num_threads"):
        function = getattr(library, symbol, None)
        if function is not None:
            function(ctypes.c_int(threads))
            return
