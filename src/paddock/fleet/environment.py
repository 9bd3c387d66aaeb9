"""What a runner's process gets to know of ours: where programs and libraries are, never a credential."""

import re
from collections.abc import Mapping
from typing import Final

_ALLOWED: Final = re.compile(
    r"""
    PATH | HOME | USER | LOGNAME | SHELL | TMPDIR | TZ | LANG | LANGUAGE | LC_[A-Z]+
    | VIRTUAL_ENV | PYTHONPATH | PYTHONHOME | PYTHONWARNINGS | PYTHONUTF8
    | LD_LIBRARY_PATH | DYLD_LIBRARY_PATH | DYLD_FALLBACK_LIBRARY_PATH
    | (OMP | OPENBLAS | MKL | BLIS | VECLIB)_[A-Z_]+ | MLX_[A-Z_]+ | METAL_[A-Z_]+
    | CUDA_[A-Z_]+ | NVIDIA_[A-Z_]+ | PADDOCK_BLAS
    """,
    re.VERBOSE,
)
_SECRET: Final = re.compile(r"(TOKEN|SECRET|PASSWORD|CREDENTIAL|API_?KEY)S?$")
_ALWAYS: Final = {
    "HF_HUB_OFFLINE": "1",  # everything that a runner opens is on the disk already
    "TRANSFORMERS_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "PYTHONUNBUFFERED": "1",
}


def runner_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """The part of `environment` that runners may see. A list of what is allowed: what nobody thought of stays out."""
    kept = {name: value for name, value in environment.items() if _ALLOWED.fullmatch(name) and not _SECRET.search(name)}
    return kept | _ALWAYS
