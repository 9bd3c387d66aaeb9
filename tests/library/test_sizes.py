"""What a plan says about bytes is what a pull moves and what the disk holds afterwards, for every shape of model."""

import pytest

from paddock.library.pulling.plan import PullOptions
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.models import Files
from tests.library.rooms import Events, Site

SHAPES = {
    "mlx": (models.mlx(), "org/tiny"),
    "sharded": (models.sharded(), "org/tiny"),
    "one gguf": ({"tiny.gguf": models.gguf()}, "org/tiny"),
    "a quantization with its projector": (
        models.quantizations("Q2_K", "Q4_K_M", "Q8_0", projector=True),
        "org/tiny:Q4_K_M",
    ),
    "the usual quantization": (models.quantizations("Q2_K", "Q4_K_M", "Q8_0"), "org/tiny"),
    "coreml": (models.coreml(), "org/tiny"),
    "onnx": (models.onnx(), "org/tiny"),
    "onnx in another precision": (models.onnx(), "org/tiny:fp16"),
    "one content under two names": ({**models.mlx(), "LICENSE": b"same", "LICENSE.txt": b"same"}, "org/tiny"),
}


@pytest.mark.parametrize(("files", "reference"), SHAPES.values(), ids=SHAPES)
async def test_planned_bytes_arrive_and_lie_on_the_disk(
    site: Site, hub: HuggingFaceHub, files: Files, reference: str
) -> None:
    """People decide by this number, and the disk check does: it is exact, or it is a lie."""
    hub.add_repo("org/tiny", files)
    async with site.open() as library:
        plan = await library.plan(reference)
        chosen = {file.path for file in plan.files}
        hub.forget()
        events = Events()
        model = await library.pull(reference, PullOptions(skip_check=True), on_progress=events)
        listed = await library.list()

    fetched = [entry for entry in hub.requests(method="GET") if entry.range is None and entry.label]
    arrived = sum(entry.bytes_sent for entry in fetched if any(entry.label.endswith(f"/{path}") for path in chosen))
    blobs = site.hub_cache / "models--org--tiny" / "blobs"
    assert (plan.here_bytes, plan.fetch_bytes) == (0, plan.total_bytes)
    assert arrived == plan.total_bytes
    assert model.size == plan.total_bytes
    assert sum(path.stat().st_size for path in blobs.iterdir()) == plan.total_bytes
    assert events.last.downloaded_bytes == events.last.total_bytes == plan.total_bytes
    assert events.last.files_completed == events.last.total_files == len(chosen)
    assert [(one.name, one.size) for one in listed] == [(plan.name, plan.total_bytes)]
    assert site.leftovers() == []


async def test_planning_moves_no_weights(site: Site, hub: HuggingFaceHub) -> None:
    """A plan reads headers. For a model of 200 GB anything else would be unbearable."""
    hub.add_repo("org/big", {**models.small_files(), "model.safetensors": models.weights(kib=2048)})
    async with site.open() as library:
        plan = await library.plan("org/big")
    assert plan.total_bytes > 2 << 20
    assert hub.bytes_sent() < 300_000


async def test_a_plan_counts_what_is_here_already(site: Site, hub: HuggingFaceHub) -> None:
    """A second quantization shares the card, a pulled model needs nothing more."""
    hub.add_repo("org/tiny", models.quantizations("Q4_K_M", "Q8_0"))
    async with site.open() as library:
        await library.pull("org/tiny:Q4_K_M")
        again = await library.plan("org/tiny:Q4_K_M")
        other = await library.plan("org/tiny:Q8_0")
    assert (again.here_bytes, again.fetch_bytes) == (again.total_bytes, 0)
    assert other.here_bytes == len(b"# Quantizations\n")
    assert [file.path for file in other.files if file.here] == ["README.md"]
