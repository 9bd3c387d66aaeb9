"""Ollama's models are found by their manifests, and offered only when every blob they need is whole."""

import hashlib
import json
from pathlib import Path

from paddock.hub.reference import parse_reference
from paddock.library.adopt import FileRole, Findings, Places, find_models
from paddock.vocabulary import SourceKind
from tests.library.caches import ollama_model

LAYERS = {"model": b"GGUF weights", "template": b"{{ .Prompt }}", "params": b'{"stop": ["x"]}', "system": b"Be brief."}


def search(store: Path) -> Findings:
    return find_models(Places(ollama=(store,)))


def test_a_tag_is_offered_with_its_template_parameters_and_system_prompt(tmp_path: Path):
    """Ollama keeps them beside the weights; without them the model would answer differently than it does there."""
    manifest = ollama_model(tmp_path, "library/llama3.2/3b", {**LAYERS, "messages": b"[]", "projector": b"eyes"})
    (model,) = search(tmp_path)
    assert (model.name, model.reference, model.source) == ("llama3.2:3b", "ollama://llama3.2:3b", SourceKind.OLLAMA)
    assert model.path.read_bytes() == LAYERS["model"]
    assert model.revision == hashlib.sha256(manifest.read_bytes()).hexdigest(), "as the registry names a pull of it"
    texts = {file.role: Path(file.location).read_bytes() for file in model.files}
    assert texts[FileRole.TEMPLATE] == LAYERS["template"]
    assert texts[FileRole.SYSTEM] == LAYERS["system"]
    assert texts[FileRole.PARAMETERS] == LAYERS["params"]
    assert texts[FileRole.PROJECTOR] == b"eyes"


def test_names_of_other_registries_and_namespaces_parse_back_to_the_same_reference(tmp_path: Path):
    ollama_model(tmp_path, "library/qwen/latest", LAYERS)
    ollama_model(tmp_path, "someone/tuned/v1", LAYERS)
    ollama_model(tmp_path, "bartowski/Llama-GGUF/Q4_K_M", LAYERS, registry="hf.co")
    found = {model.reference for model in search(tmp_path)}
    assert found == {
        "ollama://qwen:latest",
        "ollama://someone/tuned:v1",
        "ollama://hf.co/bartowski/Llama-GGUF:Q4_K_M",
    }
    assert {str(parse_reference(reference)) for reference in found} == found


def test_two_tags_with_the_same_weights_share_their_identity(tmp_path: Path):
    ollama_model(tmp_path, "library/llama/3b", LAYERS)
    ollama_model(tmp_path, "library/llama/latest", LAYERS | {"system": b"Be long."})
    first, second = search(tmp_path)
    assert first.files[0].identity == second.files[0].identity
    assert first.fingerprint != second.fingerprint


def test_a_model_with_a_missing_or_short_blob_is_not_offered(tmp_path: Path):
    """`ollama pull` writes the manifest last, but blobs can be pruned or cut short by a full disk."""
    ollama_model(tmp_path, "library/gone/latest", {"model": b"will vanish"})
    (blob,) = (tmp_path / "blobs").iterdir()
    blob.unlink()
    ollama_model(tmp_path, "library/short/latest", {"model": b"will be cut"})
    (blob,) = (tmp_path / "blobs").iterdir()
    blob.write_bytes(b"cut")
    ollama_model(tmp_path, "library/texts/latest", {"template": b"only a template"})
    found = search(tmp_path)
    assert found.models == ()
    assert [note.reason.split()[-1] for note in found.notes] == ["missing", "11", "weights"]


def test_hostile_manifests_become_notes(tmp_path: Path):
    """A manifest is a stranger's file: it may name any digest and nest as deep as it likes."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    store = tmp_path / "store"
    ollama_model(store, "library/good/latest", LAYERS)
    manifests = store / "manifests" / "registry.ollama.ai" / "library"
    for name, digest in {
        "climbs": "sha256:../../secret",
        "slash": "sha256-" + "a" * 64 + "/../../../secret",
        "absolute": str(secret),
        "odd": "md5:abc",
    }.items():
        layer = {"mediaType": "application/vnd.ollama.image.model", "digest": digest, "size": 6}
        (manifests / name).mkdir()
        (manifests / name / "latest").write_text(json.dumps({"layers": [layer]}))
    for name, text in {"deep": "[" * 200_000, "huge": " " * 2_000_000, "empty": "", "nul": "\0", "list": "[]"}.items():
        (manifests / name).mkdir()
        (manifests / name / "latest").write_text(text)
    linked = ollama_model(store, "library/linked/latest", {"model": b"linked weights"})
    blob = store / "blobs" / json.loads(linked.read_text())["layers"][0]["digest"].replace(":", "-")
    blob.unlink()
    blob.symlink_to(secret)
    (manifests / "link").mkdir()
    (manifests / "link" / "latest").symlink_to(linked)
    (manifests / "stray").write_text("{}")
    (manifests / "sp ace").mkdir()
    (manifests / "sp ace" / "latest").write_text("{}")
    found = search(store)
    assert [model.name for model in found] == ["good:latest"]
    assert len(found.notes) == 13
