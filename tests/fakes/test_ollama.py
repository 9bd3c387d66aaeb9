"""What the fake registry says is what Ollama's own client, read in its public source, expects to hear."""

import hashlib

import httpx2

from tests.fakes.ollama import MANIFEST_TYPE, OllamaRegistry


def test_a_model_is_a_manifest_of_layers_and_each_layer_a_blob() -> None:
    with OllamaRegistry() as registry:
        digest = registry.add_model("llama3:8b", {"model": b"GGUF....", "template": b"{{ .Prompt }}"})
        answer = httpx2.get(f"{registry.url}/v2/library/llama3/manifests/8b", headers={"Accept": MANIFEST_TYPE})
        assert hashlib.sha256(answer.content).hexdigest() == digest
        layers = answer.json()["layers"]
        assert [layer["mediaType"].rpartition(".")[2] for layer in layers] == ["model", "template"]
        url = f"{registry.url}/v2/library/llama3/blobs/{layers[0]['digest']}"
        assert httpx2.head(url, follow_redirects=True).headers["Content-Length"] == "8"
        assert httpx2.get(url).headers["Location"].startswith("http://localhost:"), "another host, as in production"
        part = httpx2.get(url, headers={"Range": "bytes=4-"}, follow_redirects=True)
        assert (part.status_code, part.content) == (206, b"....")


def test_what_is_not_there_is_said_in_the_registrys_words() -> None:
    with OllamaRegistry() as registry:
        answer = httpx2.get(f"{registry.url}/v2/library/none/manifests/latest")
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["code"] == "MANIFEST_UNKNOWN"
        assert httpx2.get(f"{registry.url}/v2/library/none/blobs/sha256:00").status_code == 404
