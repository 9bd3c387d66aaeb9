"""The one place that knows llama.cpp's structures says so when they are others."""

import ctypes

import pytest

from paddock.errors import Incompatible
from paddock.runner.llamacpp import mtmd, seam


def test_the_pinned_library_has_the_structures_that_are_known() -> None:
    """An update of xllamacpp that moves a field fails here, and not as a crash in somebody's answer."""
    assert seam.library().llama_n_ctx_seq is not None
    expected = {"ModelParameters": 80, "ContextParameters": 168, "Batch": 56}
    sizes = {name: ctypes.sizeof(getattr(seam, name)) for name in expected}
    assert {name: size - 256 * (name != "Batch") for name, size in sizes.items()} == expected


def test_the_pinned_library_has_the_structures_for_pictures_that_are_known() -> None:
    assert mtmd.sight_library().mtmd_support_vision is not None
    assert ctypes.sizeof(mtmd.Parameters) - 256 == 96
    assert (ctypes.sizeof(mtmd.Part), ctypes.sizeof(mtmd.Place)) == (16, 16)


def test_another_interface_is_named_and_not_used() -> None:
    """Passing a structure that is not understood would write where nobody looks."""
    fresh = seam.library().llama_context_default_params()
    with pytest.raises(Incompatible, match=r"llama_context_params\.n_batch") as told:
        seam.check("llama_context_params", fresh, {"n_ctx": 512, "n_batch": 7})
    assert "paddock[gguf]" in told.value.hint
