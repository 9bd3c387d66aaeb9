from dataclasses import replace
from datetime import UTC, datetime

import pytest

from paddock.catalog.compare import compare
from paddock.vocabulary import Capabilities, ModelFormat, ModelInfo, ModelStatus, SourceKind

SMALL = ModelInfo(
    name="small",
    family="qwen",
    format=ModelFormat.MLX,
    size=100,
    parameters=10,
    quantization="4bit",
    context_window=2048,
    max_output_tokens=512,
    modified_at=datetime(2026, 11, 1, tzinfo=UTC),
    capabilities=Capabilities(tools=True),
    source=SourceKind.BUILTIN,
    revision=None,
    status=ModelStatus.AVAILABLE,
)
LARGE = replace(SMALL, name="large", size=900, parameters=90, context_window=8192, capabilities=Capabilities())


def test_rows_say_what_differs_and_what_is_better() -> None:
    """Smaller is better on disk, longer is better for text; more parameters is a matter of taste."""
    table = compare([SMALL, LARGE])
    assert table.models == ("small", "large")
    assert table.row("size").values == (100, 900)
    assert table.row("size").best == ("small",)
    assert table.row("context_window").best == ("large",)
    assert table.row("parameters").differs
    assert table.row("parameters").best == ()
    assert not table.row("family").differs
    assert table.row("format").values == ("mlx", "mlx")
    assert table.row("tools").values == (True, False)


def test_equals_have_no_best_and_unknowns_lose() -> None:
    """A row without a contest has no winner."""
    table = compare([SMALL, SMALL], memory_bytes={"small": 5})
    assert table.row("size").best == ()
    two = compare([SMALL, LARGE], memory_bytes={"large": 7})
    assert two.row("memory").values == (None, 7)
    assert two.row("memory").best == ("large",)


def test_any_number_of_models_can_be_compared() -> None:
    """Also one, and none."""
    assert compare([]).models == ()
    assert len(compare([SMALL, LARGE, replace(SMALL, name="third")]).row("size").values) == 3
    with pytest.raises(KeyError):
        compare([SMALL]).row("smell")
