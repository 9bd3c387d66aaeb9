"""llama.cpp's second C interface, for models that see, as the library inside xllamacpp exports it.

Beside `seam`, which opens the library, nothing else knows its structures. They are checked in the same way.
"""

import ctypes
from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from paddock.errors import Incompatible
from paddock.runner.llamacpp.seam import LINES, check, library

IMAGE: Final = 1  # mtmd_input_chunk_type; texts are 0

_INSTALL: Final = "Install it with `pip install 'paddock[gguf]'`."
_SPARE_BYTES: Final = 256
_int32, _bool, _pointer, _size = ctypes.c_int32, ctypes.c_bool, ctypes.c_void_p, ctypes.c_size_t


class Parameters(ctypes.Structure):
    """`mtmd_context_params`."""

    _fields_ = [
        ("use_gpu", _bool),
        ("device", _pointer),
        ("print_timings", _bool),
        ("n_threads", ctypes.c_int),
        ("image_marker", _pointer),
        ("media_marker", _pointer),
        ("flash_attn_type", ctypes.c_int),
        ("warmup", _bool),
        ("image_min_tokens", ctypes.c_int),
        ("image_max_tokens", ctypes.c_int),
        ("eval_callback", _pointer),
        ("eval_data", _pointer),
        ("batch_max_tokens", _int32),
        ("progress", _pointer),
        ("progress_data", _pointer),
        ("spare", ctypes.c_ubyte * _SPARE_BYTES),
    ]


class Part(ctypes.Structure):
    """`mtmd_input_part`: a text or a picture."""

    _fields_ = [("text", _pointer), ("bitmap", _pointer)]


class Place(ctypes.Structure):
    """`mtmd_decoder_pos`: where one row of a picture's features stands."""

    _fields_ = [("t", ctypes.c_uint32), ("x", ctypes.c_uint32), ("y", ctypes.c_uint32), ("z", ctypes.c_uint32)]


_KNOWN: Final[Mapping[str, object]] = {
    "use_gpu": True,
    "n_threads": 4,
    "image_marker": None,
    "flash_attn_type": -1,
    "warmup": True,
    "image_min_tokens": -1,
    "image_max_tokens": -1,
    "eval_callback": None,
    "batch_max_tokens": 1024,
}
_floats = ctypes.POINTER(ctypes.c_float)
_SIGNATURES: Final[Mapping[str, tuple[Any, tuple[Any, ...]]]] = {
    "llama_model_n_embd_inp": (_int32, (_pointer,)),
    "llama_set_causal_attn": (None, (_pointer, _bool)),
    "mtmd_bitmap_free": (None, (_pointer,)),
    "mtmd_bitmap_init": (_pointer, (ctypes.c_uint32, ctypes.c_uint32, ctypes.c_char_p)),
    "mtmd_context_params_default": (Parameters, ()),
    "mtmd_decode_use_mrope": (_bool, (_pointer,)),
    "mtmd_decode_use_non_causal": (_bool, (_pointer, _pointer)),
    "mtmd_encode_chunk": (_int32, (_pointer, _pointer)),
    "mtmd_free": (None, (_pointer,)),
    "mtmd_get_output_embd": (_floats, (_pointer,)),
    "mtmd_helper_log_set": (None, (_pointer, _pointer)),
    "mtmd_image_tokens_get_decoder_pos": (Place, (_pointer, _int32, _size)),
    "mtmd_init_from_file": (_pointer, (ctypes.c_char_p, _pointer, Parameters)),
    "mtmd_input_chunk_get_n_pos": (_int32, (_pointer,)),
    "mtmd_input_chunk_get_n_tokens": (_size, (_pointer,)),
    "mtmd_input_chunk_get_tokens_image": (_pointer, (_pointer,)),
    "mtmd_input_chunk_get_tokens_text": (ctypes.POINTER(_int32), (_pointer, ctypes.POINTER(_size))),
    "mtmd_input_chunk_get_type": (ctypes.c_int, (_pointer,)),
    "mtmd_input_chunks_free": (None, (_pointer,)),
    "mtmd_input_chunks_get": (_pointer, (_pointer, _size)),
    "mtmd_input_chunks_init": (_pointer, ()),
    "mtmd_input_chunks_size": (_size, (_pointer,)),
    "mtmd_support_vision": (_bool, (_pointer,)),
    "mtmd_tokenize_from_parts": (_int32, (_pointer, _pointer, ctypes.POINTER(ctypes.POINTER(Part)), _size, _bool)),
}


@cache
def sight_library() -> Any:
    """The library with these functions typed, too. Raises Incompatible when there is none, or another one."""
    opened = library()
    try:
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(opened, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError as error:
        raise Incompatible(
            "The installed xllamacpp cannot see: its library lacks functions for pictures.", hint=_INSTALL
        ) from error
    check("mtmd_context_params", opened.mtmd_context_params_default(), _KNOWN)
    opened.mtmd_helper_log_set(LINES.callback, None)
    return opened
