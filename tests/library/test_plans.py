"""A plan answers, before a byte moves: how much, whether it runs, whether it fits, what it may be used for."""

import pytest

from paddock.errors import AccessDenied, Incompatible, NotEnoughMemory, UsageError
from paddock.library.machine import Machine
from paddock.library.pulling.plan import PullOptions
from paddock.vocabulary import ModelFormat, Verdict
from tests.fakes.files import FileServer
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Site

MIB = 1 << 20


async def test_memory_is_told_at_three_contexts(site: Site, hub: HuggingFaceHub) -> None:
    """At 4k tokens, at the working context and at the model's maximum; a longer one never costs less, the longest more."""
    hub.add_repo("org/tiny", models.mlx())
    async with site.open() as library:
        plan = await library.plan("org/tiny")
    assert [step.context for step in plan.memory] == [4096, 8192, 32768]
    peaks = [step.peak_bytes for step in plan.memory]
    assert peaks == sorted(peaks)
    assert peaks[-1] > peaks[0]
    assert plan.working_context == 8192
    assert plan.device == "cpu"
    assert plan.memory_budget_bytes == 48 << 30  # three quarters of 64 GiB


async def test_a_model_with_a_short_context_works_at_its_own(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx(max_position_embeddings=2048))
    async with site.open() as library:
        plan = await library.plan("org/tiny")
    assert plan.working_context == 2048
    assert plan.memory[-1].context >= 2048
    assert plan.fits_memory


async def test_a_model_that_does_not_fit_is_refused_and_can_be_forced(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx())
    site.machine = Machine("cpu", 64 * MIB, 64 * MIB)
    async with site.open() as library:
        plan = await library.plan("org/tiny")
        assert not plan.fits_memory
        with pytest.raises(NotEnoughMemory, match="org/tiny") as refusal:
            await library.pull("org/tiny")
        assert refusal.value.exit_code == 3
        assert "--force" in refusal.value.hint
        assert "pool.memory" in refusal.value.hint
        assert (await library.pull("org/tiny", PullOptions(force=True))).name == "org/tiny"


@pytest.mark.parametrize(("files", "kind"), [(models.coreml(), ModelFormat.COREML), (models.onnx(), ModelFormat.ONNX)])
async def test_what_does_not_run_here_is_refused_with_its_reason(
    site: Site, hub: HuggingFaceHub, files: models.Files, kind: ModelFormat
) -> None:
    hub.add_repo("org/other", files)
    async with site.open() as library:
        plan = await library.plan("org/other")
        assert (plan.format, plan.compatibility.verdict) == (kind, Verdict.INCOMPATIBLE)
        assert plan.framework == kind.framework
        hub.forget()
        with pytest.raises(Incompatible, match=kind.framework) as refusal:
            await library.pull("org/other")
        assert refusal.value.exit_code == 3
        assert "--skip-check" in refusal.value.hint
        assert not (site.hub_cache / "models--org--other").exists()
        assert (await library.pull("org/other", PullOptions(skip_check=True))).format is kind


async def test_an_unknown_architecture_is_refused(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/strange", models.mlx(model_type="never-heard-of", architectures=["NeverHeardOf"]))
    async with site.open() as library:
        plan = await library.plan("org/strange")
        assert plan.compatibility.verdict is not Verdict.COMPATIBLE
        assert plan.compatibility.reasons


async def test_a_gated_model_is_planned_from_its_listing(site: Site, hub: HuggingFaceHub) -> None:
    """Its files may not be read, its list may: sizes and the gate are known before anybody accepts anything."""
    hub.add_repo("org/gated", models.mlx(), gated="manual", license="llama3", tags=("mlx",))
    async with site.open() as library:
        plan = await library.plan("org/gated")
        assert plan.gated
        assert plan.total_bytes == models.total(models.mlx())
        assert plan.license == "llama3"
        assert any("gated" in warning for warning in plan.warnings)
        with pytest.raises(AccessDenied, match="org/gated") as refusal:
            await library.pull("org/gated", PullOptions(skip_check=True))
        assert "HF_TOKEN" in refusal.value.hint or "token" in refusal.value.hint


async def test_a_gated_model_opens_with_a_token(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/gated", models.mlx(), gated="manual")
    hub.add_token("hf_secret", may=["org/gated"])
    site.environment["HF_TOKEN"] = "hf_secret"
    async with site.open() as library:
        assert (await library.pull("org/gated")).size == models.total(models.mlx())
    assert not any(entry.authorized for entry in hub.requests(at="storage"))


async def test_a_repository_with_only_pickles_is_refused(site: Site, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/pickles", {**models.small_files(), "pytorch_model.bin": b"\x80\x02"})
    async with site.open() as library:
        with pytest.raises(Incompatible, match="pickles"):
            await library.plan("org/pickles")


async def test_a_repository_with_several_models_asks_which(site: Site, hub: HuggingFaceHub) -> None:
    files = {f"{size}/{path}": content for size in ("small", "large") for path, content in models.mlx().items()}
    hub.add_repo("org/several", files)
    async with site.open() as library:
        with pytest.raises(UsageError, match="several models") as refusal:
            await library.plan("org/several")
        assert "org/several:" in refusal.value.hint
        assert (await library.pull("org/several:small")).size == models.total(models.mlx())


async def test_what_a_plain_server_does_not_tell_is_said(site: Site) -> None:
    with FileServer() as server:
        url = server.add("tiny.gguf", models.gguf())
        async with site.open() as library:
            plan = await library.plan(url)
    assert any("hash" in warning for warning in plan.warnings)
    assert plan.size_known
    assert plan.total_bytes == len(models.gguf())


async def test_a_plan_is_remembered_and_a_pull_asks_again(site: Site, hub: HuggingFaceHub) -> None:
    """Five minutes are fine for reading; what is fetched is what the hub has now."""
    hub.add_repo("org/tiny", models.mlx())
    async with site.open() as library:
        await library.plan("org/tiny")
        newest = hub.commit("org/tiny", {"README.md": b"# Better\n"})
        hub.forget()
        assert (await library.plan("org/tiny")).revision != newest
        assert hub.requests() == []
        assert (await library.pull("org/tiny")).revision == newest
        assert (await library.plan("org/tiny")).revision == newest


async def test_weights_with_a_lying_header_are_refused_before_they_move(site: Site, hub: HuggingFaceHub) -> None:
    """A header of 2⁶³ bytes is found in the plan, named, and nothing of the model arrives."""
    hub.add_repo("org/liar", {**models.mlx(), "model.safetensors": b"\xff" * 7 + b"\x7f" + b"{" * 100})
    async with site.open() as library:
        plan = await library.plan("org/liar")
        assert plan.compatibility.verdict is Verdict.INCOMPATIBLE
        assert "model.safetensors" in " ".join(plan.compatibility.reasons)
        with pytest.raises(Incompatible):
            await library.pull("org/liar")
        assert await library.list() == []
