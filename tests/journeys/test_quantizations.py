"""One repository, several quantizations of a model that sees: found, planned, pulled, listed, asked, removed one by one."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from paddock.app import BUILTIN_MODELS
from tests.cli.conftest import cli, site
from tests.cli.running import Cli
from tests.fakes.huggingface import HuggingFaceHub
from tests.runner.llamacpp.projectors import PLACES, llava_projector
from tests.runner.llamacpp.writing import F32, Q4_0, Q8_0, random_model

__all__ = ["cli", "site"]

NAME = "org/eyes-GGUF"
TEMPLATE = "{% for message in messages %}{{ message.role }}: {{ message.content }}\n{% endfor %}assistant:"
PARTS = [f"Eyes-F32-0000{number}-of-00003.gguf" for number in (1, 2, 3)]
SHARED = ["README.md", "mmproj-Eyes-F16.gguf"]
GREEDY = ("--temperature", "0", "--max-tokens", "4", "--json")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Real models: Q8_0 and Q4_0 in a file each, F32 in three parts, and a projector in two precisions."""
    folder = tmp_path_factory.mktemp("eyes")
    for kind in (Q8_0, Q4_0):
        written(folder / f"Eyes-{kind.name}.gguf", kind)
    written(folder / "Eyes-F32.gguf", F32, split_tensors_max=8)
    for precision in ("F16", "F32"):
        llava_projector(folder / f"mmproj-Eyes-{precision}.gguf")
    (folder / "README.md").write_text("# Eyes\n")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


@pytest.fixture
def hub(files: dict[str, bytes]) -> Any:
    with HuggingFaceHub() as hub:
        hub.add_repo(NAME, files, tags=("gguf",), pipeline_tag="image-text-to-text")
        yield hub


@pytest.fixture
def picture(tmp_path: Path) -> str:
    path = tmp_path / "red.png"
    Image.new("RGB", (40, 30), "red").save(path)
    return str(path)


def test_each_quantization_is_a_model_of_its_own(cli: Cli, files: dict[str, bytes], picture: str) -> None:
    """What they share, the projector and the card, is fetched once, counted once, and goes with the last of them."""
    assert f"{NAME}:Q4_0" in [hit["name"] for hit in cli("search", "eyes", "--json").document["hits"]]
    shared = sum(len(files[name]) for name in SHARED)
    first, second = (f"{NAME}:{label}" for label in ("Q8_0", "Q4_0"))
    plan = cli("plan", first, "--json").document
    assert sorted(file["path"] for file in plan["files"]) == sorted(["Eyes-Q8_0.gguf", *SHARED])
    assert plan["total_bytes"] == len(files["Eyes-Q8_0.gguf"]) + shared
    assert plan["facts"]["capabilities"]["vision"] is True
    assert cli("pull", first).code == 0
    plan = cli("plan", second, "--json").document
    assert plan["fetch_bytes"] == len(files["Eyes-Q4_0.gguf"])
    assert cli("pull", second).code == 0

    listed = {model["name"]: model for model in cli("list", "--json").document["models"]}
    assert sorted(listed) == sorted([first, second])
    assert {name: model["quantization"] for name, model in listed.items()} == {first: "Q8_0", second: "Q4_0"}
    assert all(model["capabilities"]["vision"] for model in listed.values())

    for name in (first, second):
        done = cli("run", name, "What is it?", "--image", picture, *GREEDY)
        assert done.code == 0, done.err
        assert json.loads(done.out)["model"] == name
        assert json.loads(done.out)["usage"]["prompt_tokens"] > PLACES

    removed = cli("rm", first, "--yes", "--json").document
    assert removed["freed_bytes"] == len(files["Eyes-Q8_0.gguf"])
    assert [model["name"] for model in cli("list", "--json").document["models"]] == [second]
    assert cli("run", first, "Hello", *GREEDY).code == 4
    assert cli("run", second, "What is it?", "--image", picture, *GREEDY).code == 0
    assert cli("rm", second, "--yes", "--json").document["freed_bytes"] == len(files["Eyes-Q4_0.gguf"]) + shared


def test_a_model_in_parts_is_pulled_and_asked_as_one(cli: Cli, files: dict[str, bytes], picture: str) -> None:
    name = f"{NAME}:F32"
    plan = cli("plan", name, "--json").document
    assert sorted(file["path"] for file in plan["files"]) == sorted([*PARTS, *SHARED])
    assert cli("pull", name).code == 0
    assert cli("verify", name).code == 0
    done = cli("run", name, "What is it?", "--image", picture, *GREEDY)
    assert done.code == 0, done.err
    assert json.loads(done.out)["usage"]["prompt_tokens"] > PLACES
    removed = cli("rm", name, "--yes", "--json").document
    assert removed["freed_bytes"] == sum(len(files[file]) for file in (*PARTS, *SHARED))


def written(path: Path, kind: Any, **more: Any) -> Path:
    return random_model(path, "llama", kind, tokenizer=BUILTIN_MODELS / "pony", template=TEMPLATE, **more)
