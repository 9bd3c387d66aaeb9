"""llama.cpp's C interface, as the library inside xllamacpp exports it. Nothing else knows its structures.

They change between versions, so xllamacpp is pinned, and what a fresh structure says is compared with what is known of it
before one is passed back. A structure that grew at its end is still taken: room for that is kept behind each.
"""

import ctypes
import os
import sys
from collections import deque
from collections.abc import Mapping
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from paddock.errors import Incompatible

_INSTALL: Final = "Install it with `pip install 'paddock[gguf]'`."
_SPARE_BYTES: Final = 256
_SPINS: Final = "10000"  # about half a millisecond: a step has no longer pause, and who waits for the next one sleeps
_LINES_KEPT: Final = 20
_LEVEL_ERROR: Final = 4

_int32, _uint32, _bool = ctypes.c_int32, ctypes.c_uint32, ctypes.c_bool
_float, _pointer, _size = ctypes.c_float, ctypes.c_void_p, ctypes.c_size_t


class ModelParameters(ctypes.Structure):
    """`llama_model_params`."""

    _fields_ = [
        ("devices", _pointer),
        ("buffer_overrides", _pointer),
        ("n_gpu_layers", _int32),
        ("split_mode", _int32),
        ("load_mode", _int32),
        ("lazy_mode", _int32),
        ("main_gpu", _int32),
        ("tensor_split", _pointer),
        ("progress", _pointer),
        ("progress_data", _pointer),
        ("overrides", _pointer),
        ("vocab_only", _bool),
        ("check_tensors", _bool),
        ("use_extra_bufts", _bool),
        ("no_host", _bool),
        ("no_alloc", _bool),
        ("load_mtp", _bool),
        ("spare", ctypes.c_ubyte * _SPARE_BYTES),
    ]


class ContextParameters(ctypes.Structure):
    """`llama_context_params`."""

    _fields_ = [
        ("n_ctx", _uint32),
        ("n_batch", _uint32),
        ("n_ubatch", _uint32),
        ("n_seq_max", _uint32),
        ("n_rs_seq", _uint32),
        ("n_outputs_max", _uint32),
        ("n_outputs_max_per_seq", _uint32),
        ("n_threads", _int32),
        ("n_threads_batch", _int32),
        ("context_type", _int32),
        ("rope_scaling_type", _int32),
        ("pooling_type", _int32),
        ("attention_type", _int32),
        ("flash_attn_type", _int32),
        ("rope", _float * 6),
        ("yarn_orig_ctx", _uint32),
        ("defrag_thold", _float),
        ("eval_callback", _pointer),
        ("eval_data", _pointer),
        ("type_k", _int32),
        ("type_v", _int32),
        ("abort_callback", _pointer),
        ("abort_data", _pointer),
        ("unknown", _pointer),
        ("embeddings", _bool),
        ("offload_kqv", _bool),
        ("no_perf", _bool),
        ("op_offload", _bool),
        ("swa_full", _bool),
        ("kv_unified", _bool),
        ("samplers", _pointer),
        ("n_samplers", _size),
        ("other", _pointer),
        ("spare", ctypes.c_ubyte * _SPARE_BYTES),
    ]


class Batch(ctypes.Structure):
    """`llama_batch`."""

    _fields_ = [
        ("n_tokens", _int32),
        ("token", ctypes.POINTER(_int32)),
        ("embd", _pointer),
        ("pos", ctypes.POINTER(_int32)),
        ("n_seq_id", ctypes.POINTER(_int32)),
        ("seq_id", ctypes.POINTER(ctypes.POINTER(_int32))),
        ("logits", ctypes.POINTER(ctypes.c_int8)),
    ]


_KNOWN_MODEL: Final[Mapping[str, object]] = {
    "n_gpu_layers": -1,
    "split_mode": 1,
    "main_gpu": 0,
    "tensor_split": None,
    "vocab_only": False,
    "use_extra_bufts": True,
}
_KNOWN_CONTEXT: Final[Mapping[str, object]] = {
    "n_ctx": 512,
    "n_batch": 2048,
    "n_ubatch": 512,
    "n_seq_max": 1,
    "pooling_type": -1,
    "flash_attn_type": -1,
    "type_k": 1,
    "type_v": 1,
    "embeddings": False,
    "offload_kqv": True,
    "swa_full": True,
    "kv_unified": False,
    "n_samplers": 0,
}
_tokens, _text = ctypes.POINTER(_int32), ctypes.c_char_p
_SIGNATURES: Final[Mapping[str, tuple[Any, tuple[Any, ...]]]] = {
    "ggml_backend_dev_count": (_size, ()),
    "ggml_backend_dev_get": (_pointer, (_size,)),
    "ggml_backend_dev_memory": (None, (_pointer, ctypes.POINTER(_size), ctypes.POINTER(_size))),
    "ggml_backend_dev_name": (_text, (_pointer,)),
    "ggml_backend_dev_type": (ctypes.c_int, (_pointer,)),
    "llama_backend_init": (None, ()),
    "llama_batch_free": (None, (Batch,)),
    "llama_batch_init": (Batch, (_int32, _int32, _int32)),
    "llama_context_default_params": (ContextParameters, ()),
    "llama_decode": (_int32, (_pointer, Batch)),
    "llama_free": (None, (_pointer,)),
    "llama_get_embeddings_ith": (ctypes.POINTER(_float), (_pointer, _int32)),
    "llama_get_embeddings_seq": (ctypes.POINTER(_float), (_pointer, _int32)),
    "llama_get_logits": (ctypes.POINTER(_float), (_pointer,)),
    "llama_get_memory": (_pointer, (_pointer,)),
    "llama_init_from_model": (_pointer, (_pointer, ContextParameters)),
    "llama_log_set": (None, (_pointer, _pointer)),
    "llama_memory_seq_pos_max": (_int32, (_pointer, _int32)),
    "llama_memory_seq_rm": (_bool, (_pointer, _int32, _int32, _int32)),
    "llama_model_chat_template": (_text, (_pointer, _text)),
    "llama_model_default_params": (ModelParameters, ()),
    "llama_model_free": (None, (_pointer,)),
    "llama_model_get_vocab": (_pointer, (_pointer,)),
    "llama_model_has_encoder": (_bool, (_pointer,)),
    "llama_model_is_diffusion": (_bool, (_pointer,)),
    "llama_model_is_hybrid": (_bool, (_pointer,)),
    "llama_model_is_recurrent": (_bool, (_pointer,)),
    "llama_model_load_from_file": (_pointer, (_text, ModelParameters)),
    "llama_model_n_ctx_train": (_int32, (_pointer,)),
    "llama_model_n_embd_out": (_int32, (_pointer,)),
    "llama_model_size": (ctypes.c_uint64, (_pointer,)),
    "llama_model_n_swa": (_int32, (_pointer,)),
    "llama_n_ctx_seq": (_uint32, (_pointer,)),
    "llama_n_seq_max": (_uint32, (_pointer,)),
    "llama_pooling_type": (ctypes.c_int, (_pointer,)),
    "llama_state_seq_get_data": (_size, (_pointer, _pointer, _size, _int32)),
    "llama_state_seq_get_size": (_size, (_pointer, _int32)),
    "llama_state_seq_set_data": (_size, (_pointer, _pointer, _size, _int32)),
    "llama_token_to_piece": (_int32, (_pointer, _int32, _pointer, _int32, _int32, _bool)),
    "llama_tokenize": (_int32, (_pointer, _text, _int32, _tokens, _int32, _bool, _bool)),
    "llama_vocab_get_add_bos": (_bool, (_pointer,)),
    "llama_vocab_get_attr": (ctypes.c_int, (_pointer, _int32)),
    "llama_vocab_is_eog": (_bool, (_pointer, _int32)),
    "llama_vocab_n_tokens": (_int32, (_pointer,)),
    **{f"llama_vocab_{name}": (_int32, (_pointer,)) for name in ("bos", "eos", "eot", "sep", "pad", "mask")},
}
_Told = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)


class Lines:
    """What llama.cpp says of itself while it works. Of its many lines the last errors are kept."""

    def __init__(self) -> None:
        self.last: deque[str] = deque(maxlen=_LINES_KEPT)
        self.callback = _Told(self._hear)  # kept, as C calls it for as long as the process lives

    def _hear(self, level: int, text: bytes | None, _data: object) -> None:
        if level == _LEVEL_ERROR and text:
            self.last.append(" ".join(text.decode("utf-8", "replace").split()))


LINES: Final = Lines()


@cache
def library() -> Any:
    """The library with its functions typed, ready for use. Raises Incompatible when there is none, or another one."""
    found = find_spec("xllamacpp")
    folders = list(found.submodule_search_locations or ()) if found else []
    paths = [path for folder in folders for path in sorted(Path(folder).glob("xllamacpp*.so"))]
    if not paths:
        raise Incompatible("GGUF models run with xllamacpp, which is not installed.", hint=_INSTALL)
    # Threads that wait for each other stop spinning soon: on a machine that does other work as well, each spins away the time
    # that the other needs, and a step takes a hundred times as long. Read once, when the library is opened.
    os.environ.setdefault("GOMP_SPINCOUNT", _SPINS)
    try:
        opened = ctypes.CDLL(str(paths[0]))
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(opened, name)
            function.restype, function.argtypes = result, arguments
    except (OSError, AttributeError) as error:
        raise Incompatible(f"The installed xllamacpp cannot be used: {_in_short(error)}", hint=_INSTALL) from error
    check("llama_model_params", opened.llama_model_default_params(), _KNOWN_MODEL)
    check("llama_context_params", opened.llama_context_default_params(), _KNOWN_CONTEXT)
    opened.llama_log_set(LINES.callback, None)
    opened.llama_backend_init()
    return opened


def check(what: str, fresh: ctypes.Structure, known: Mapping[str, object]) -> None:
    """Raises Incompatible when a fresh structure does not say what is known of it."""
    strange = [name for name, value in known.items() if getattr(fresh, name) != value]
    if strange:
        raise Incompatible(
            f"The installed xllamacpp has another interface than the one that is known here: `{what}.{strange[0]}`.",
            hint=f"{_INSTALL} This brings the right version.",
        )


def _in_short(error: BaseException) -> str:
    text = " ".join(str(error).split())
    for folder in filter(None, sys.path):
        text = text.replace(f"{folder}/", "")
    return text[:200]
