"""LM Studio's folder and llama.cpp's cache in each of its layouts; and what holds for every store."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from paddock.config.paths import find_paths
from paddock.library.adopt import AdoptedFrom, FileRole, Places, find_models, places_in
from paddock.library.fingerprint import fingerprint, fingerprint_files
from paddock.vocabulary import SourceKind
from tests.library.caches import MLX_FILES, huggingface_repository, lmstudio_model, ollama_model

MIB = 1024 * 1024


def test_lm_studio_models_are_named_after_the_repository_they_came_from(tmp_path: Path):
    """So that the same reference pulls them again on another machine."""
    lmstudio_model(tmp_path, "mlx-community/Qwen3-4bit", MLX_FILES)
    lmstudio_model(tmp_path, "bartowski/One-GGUF", {"One-Q4_K_M.gguf": b"w", "mmproj-One-f16.gguf": b"eyes"})
    lmstudio_model(tmp_path, "bartowski/Two-GGUF", {"Two-Q4_K_M.gguf": b"w", "Two-Q8_0.gguf": b"w8"})
    lmstudio_model(tmp_path, "imported-models/mine", {"mine.gguf": b"w"})
    (tmp_path / "stray.gguf").write_bytes(b"not in a folder of a publisher")
    models = {model.name: model for model in find_models(Places(lmstudio=(tmp_path,)))}
    assert sorted(models) == [
        "bartowski/One-GGUF",
        "bartowski/Two-GGUF:Q4_K_M",
        "bartowski/Two-GGUF:Q8_0",
        "imported-models/mine",
        "mlx-community/Qwen3-4bit",
    ]
    assert models["mlx-community/Qwen3-4bit"].path == tmp_path / "mlx-community" / "Qwen3-4bit"
    assert [file.role for file in models["bartowski/One-GGUF"].files] == [FileRole.PART, FileRole.PROJECTOR]
    mine = models["imported-models/mine"]
    assert (mine.source, mine.reference) == (SourceKind.LOCAL, f"file://{tmp_path}/imported-models/mine/mine.gguf")


def test_lm_studio_downloads_that_are_unfinished_or_lead_away_are_passed_over(tmp_path: Path):
    weights = tmp_path / "elsewhere.gguf"
    weights.write_bytes(b"w")
    store = tmp_path / "models"
    lmstudio_model(store, "org/arriving", {"downloading_arriving-Q4_0.gguf.part": b"w"})
    lmstudio_model(store, "org/half", {"config.json": b"{}", "model-00002-of-00002.safetensors": b"w"})
    lmstudio_model(store, "org/linked", {})
    (store / "org" / "linked").mkdir(parents=True)
    (store / "org" / "linked" / "linked.gguf").symlink_to(weights)
    found = find_models(Places(lmstudio=(store,)))
    assert found.models == ()
    assert [note.reason for note in found.notes] == [
        "model-00001-of-00002.safetensors is missing",
        "is a link out of the folder, or broken",
    ]


def test_llama_cpp_files_are_named_by_their_sidecar_or_manifest_else_by_themselves(tmp_path: Path):
    """`org_repo_file.gguf` does not say where the owner's name ends."""
    address = "https://huggingface.co/ggml-org/gemma-3-GGUF/resolve/main/gemma-3-Q4_K_M.gguf"
    files = {
        "ggml-org_gemma-3-GGUF_gemma-3-Q4_K_M.gguf": b"2024",
        "ggml-org_gemma-3-GGUF_gemma-3-Q4_K_M.gguf.json": json.dumps({"etag": "x", "url": address}).encode(),
        "manifest=ggml-org=Smol_VLM-GGUF=latest.json": b"{}",
        "ggml-org_Smol_VLM-GGUF_SmolVLM-Q8_0.gguf": b"2025",
        "ggml-org_Smol_VLM-GGUF_SmolVLM-Q8_0.gguf.etag": b'"x"',
        "ggml-org_Smol_VLM-GGUF_SmolVLM-F16.gguf": b"2025, in full",
        "ggml-org_Smol_VLM-GGUF_mmproj-SmolVLM-Q8_0.gguf": b"eyes",
        "gemma-3-270m-it-qat-Q4_0.gguf": b"by --model-url",
        "lone_split-00001-of-00002.gguf": b"half",
        "arriving.gguf.downloadInProgress": b"part",
        "bad_sidecar.gguf": b"w",
        "bad_sidecar.gguf.json": b"[" * 100_000,
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    huggingface_repository(tmp_path, "ggml-org/new-GGUF", {"new-Q4_0.gguf": b"2026"})
    found = find_models(Places(llamacpp=(tmp_path,)))
    models = {model.name: model for model in found}
    assert sorted(models) == [
        "bad_sidecar",
        "gemma-3-270m-it-qat-Q4_0",
        "ggml-org/Smol_VLM-GGUF:F16",
        "ggml-org/Smol_VLM-GGUF:Q8_0",
        "ggml-org/gemma-3-GGUF",
        "ggml-org/new-GGUF",
    ]
    assert all(model.tool is AdoptedFrom.LLAMACPP for model in found)
    assert models["ggml-org/gemma-3-GGUF"].source is SourceKind.HUGGINGFACE
    assert models["bad_sidecar"].reference == f"file://{tmp_path}/bad_sidecar.gguf"
    assert models["ggml-org/Smol_VLM-GGUF:Q8_0"].files[1].role is FileRole.PROJECTOR
    assert [note.reason for note in found.notes] == ["lone_split-00002-of-00002.gguf is missing"]


def test_a_folder_that_two_tools_share_is_read_once(tmp_path: Path):
    """llama.cpp keeps its models in the Hugging Face cache now."""
    huggingface_repository(tmp_path / "hub", "org/name", MLX_FILES)
    (tmp_path / "link").symlink_to(tmp_path / "hub")
    found = find_models(Places(huggingface=(tmp_path / "hub",), llamacpp=(tmp_path / "link", tmp_path / "missing")))
    assert [model.name for model in found] == ["org/name"]


def test_the_places_are_those_of_the_tools_and_where_lm_studio_was_moved_to(tmp_path: Path):
    """People move these folders to big disks; LM Studio tells by a file, the others by their variables."""
    environment = {"HF_HOME": "/disk/hf", "OLLAMA_MODELS": "/disk/ollama", "LLAMA_CACHE": "/disk/llama"}
    paths = find_paths(environment, workspace=tmp_path, home=tmp_path, platform="linux")
    unmoved = places_in(paths)
    assert unmoved.huggingface == (Path("/disk/hf/hub"),)
    assert unmoved.ollama == (Path("/disk/ollama"),)
    assert unmoved.llamacpp == (Path("/disk/llama"),)
    assert unmoved.lmstudio == (tmp_path / ".lmstudio/models", tmp_path / ".cache/lm-studio/models")
    (tmp_path / ".lmstudio-home-pointer").write_text("/disk/lmstudio\n")
    assert places_in(paths).lmstudio[0] == Path("/disk/lmstudio/models")
    (tmp_path / ".lmstudio-home-pointer").write_bytes(b"\xff\xfe")
    assert places_in(paths) == unmoved


def test_adopting_a_gigabyte_costs_no_disk_and_changes_nothing(tmp_path: Path):
    """The promise of adoption: no second copy, and the other tool's files exactly as they were."""
    hub, store = tmp_path / "hub", tmp_path / "ollama"
    snapshot = huggingface_repository(hub, "org/large", MLX_FILES)
    os.truncate(snapshot / "model.safetensors", 1024 * MIB)
    ollama_model(store, "library/small/latest", {"model": b"weights", "template": b"t"})
    before, used_before = photograph(tmp_path), used_kib(tmp_path)
    found = find_models(Places(huggingface=(hub,), ollama=(store,)))
    assert sum(model.size for model in found) > 1024 * MIB
    assert photograph(tmp_path) == before
    assert used_kib(tmp_path) - used_before < 1024


@pytest.mark.parametrize("layout", ["huggingface", "ollama", "lmstudio", "llamacpp"])
def test_the_fingerprint_told_on_finding_is_the_one_read_later(layout: str, tmp_path: Path):
    """Facts are read again only when it changes, so both ways of asking must agree."""
    match layout:
        case "huggingface":
            huggingface_repository(tmp_path, "org/name", {"sub/config.json": b"{}", "model.safetensors": b"w"})
        case "ollama":
            ollama_model(tmp_path, "library/name/latest", {"model": b"w", "template": b"t"})
        case "lmstudio":
            lmstudio_model(tmp_path, "org/name", {"a-Q4_0.gguf": b"w", "mmproj-a.gguf": b"e"})
        case _:
            (tmp_path / "name.gguf").write_bytes(b"w")
    places = Places(**{layout: (tmp_path,)})
    (model,) = find_models(places)
    assert fingerprint_files(model.root, [file.path for file in model.files]) == model.fingerprint
    if model.path.is_dir():
        assert fingerprint(model.path) == model.fingerprint
    os.utime(model.files[0].location, ns=(0, 1))
    (touched,) = find_models(places)
    assert touched.fingerprint != model.fingerprint


def photograph(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Every entry's size, time and inode (reading does not count as a change)."""
    return {
        str(path): ((status := path.lstat()).st_size, status.st_mtime_ns, status.st_ino)
        for path in sorted(folder.rglob("*"))
    }


def used_kib(folder: Path) -> int:
    return int(subprocess.run(["du", "-sk", folder], capture_output=True, check=True, text=True).stdout.split()[0])
