"""Models that embed or score, from a hub to an answer: an ONNX graph of MiniLM, and a cross-encoder."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from tokenizers import Tokenizer

from tests.fakes.bert import Bert
from tests.fakes.huggingface import HuggingFaceHub
from tests.fakes.onnx import bert_graph
from tests.runner.embedding.models import minilm, reranker
from tests.server.openai_server import Running, running_server

pytestmark = pytest.mark.xdist_group("embeddings")

ONNX, JUDGE = "org/minilm-onnx", "org/judge"
TEXTS = ("A horse!", "How do I download a model?", "green fields near the river " * 20)
QUERY = "What does a horse do?"
DOCUMENTS = ("A horse runs.", "Rain in the river, snow on the fields and birds that sing.", "x")
LIMIT = 700 * 1024 * 1024


@dataclass
class Site:
    server: Running
    http: httpx2.Client
    judge: Path  # the folder that the hub's cross-encoder was made in
    home: Path


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    folder = tmp_path_factory.mktemp("from-a-hub")
    judge = reranker(folder / "judge")
    graph = folder / "minilm"
    (graph / "onnx").mkdir(parents=True)
    for name in ("config.json", "tokenizer.json", "sentence_bert_config.json", "modules.json"):
        if (minilm() / name).is_file():
            shutil.copy(minilm() / name, graph)
    bert_graph(minilm(), graph / "onnx" / "model.onnx")
    with HuggingFaceHub() as hub:
        hub.add_repo(ONNX, files_of(graph), tags=("onnx", "sentence-transformers"), pipeline_tag="sentence-similarity")
        hub.add_repo(JUDGE, files_of(judge), tags=("mlx",), pipeline_tag="text-ranking")
        flags = {"hub.endpoint": hub.url, "hub.retries": 0, "pool.memory": "700MB", "pool.max_models": 2}
        with (
            running_server(folder, flags=flags) as server,
            httpx2.Client(base_url=server.url, timeout=120) as http,
        ):
            for name in (ONNX, JUDGE):
                server.ask(lambda name=name: server.rooms.library.pull(name))
            yield Site(server, http, judge, folder)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def post(site: Site, path: str, **body: Any) -> Any:
    answer = site.http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_graph_is_listed_for_what_it_is(site: Site) -> None:
    """Its format, size and kind are known without loading it; so is how much it reads."""
    (found,) = [each for each in site.http.get("/v1/models").json()["data"] if each["id"].endswith("minilm-onnx")]
    assert found["id"] == ONNX
    told = site.http.get("/admin/library/models").json()["models"]
    (model,) = [each for each in told if each["name"] == ONNX]
    assert (model["format"], model["status"]) == ("onnx", "available")
    assert {name for name, can in model["capabilities"].items() if can} == {"embeddings"}
    assert model["size"] > (minilm() / "model.safetensors").stat().st_size * 0.9
    assert model["context_window"] == 256


def test_a_graph_s_vectors_are_those_of_the_paper_s_formulas(site: Site) -> None:
    """MiniLM as ONNX, over HTTP."""
    bert, tokenizer = Bert(minilm()), Tokenizer.from_file(str(minilm() / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    told = post(site, "/v1/embeddings", model=ONNX, input=[*TEXTS])
    ids: list[list[int]] = [tokenizer.encode(text).ids for text in TEXTS]  # pyright: ignore[reportUnknownMemberType]
    for tokens, entry in zip(ids, told["data"], strict=True):
        assert float(np.array(entry["embedding"]) @ bert.vector(tokens)) >= 0.9999
    assert told["usage"]["prompt_tokens"] == sum(len(each) for each in ids)
    long = site.http.post("/v1/embeddings", json={"model": ONNX, "input": "horse " * 300})
    assert (long.status_code, "reads 256" in long.json()["error"]["message"]) == (400, True)


def test_paddock_embed_takes_a_graph(site: Site) -> None:
    """The same folders, another process."""
    variables = {**os.environ, "PADDOCK_HOME": str(site.home / "paddock"), "HF_HOME": str(site.home / "huggingface")}
    program = [sys.executable, "-P", "-c", "from paddock.cli.main import main; main()", "embed", ONNX, TEXTS[0]]
    done = subprocess.run(program, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    (entry,) = post(site, "/v1/embeddings", model=ONNX, input=TEXTS[0])["data"]
    assert json.loads(done.stdout) == pytest.approx(entry["embedding"], abs=2e-6)


def test_graphs_and_cross_encoders_share_the_pool(site: Site) -> None:
    """Under its limits: the one used longest ago leaves, and comes back with the same answer."""
    before = post(site, "/v1/embeddings", model=ONNX, input="A horse")["data"][0]["embedding"]
    post(site, "/v1/rerank", model=JUDGE, query=QUERY, documents=DOCUMENTS)
    post(site, "/v1/embeddings", model="pony-embed", input="A horse")
    loaded = site.http.get("/admin/models/status").json()["loaded_models"]
    assert set(loaded) == {JUDGE, "pony-embed"}
    after = post(site, "/v1/embeddings", model=ONNX, input="A horse")["data"][0]["embedding"]
    assert after == pytest.approx(before, abs=2e-6)
    status = site.server.rooms.pool.status()
    assert status.used_bytes <= status.budget_bytes <= LIMIT


def expected(folder: Path) -> list[float]:
    """The scores of DOCUMENTS, by the formulas of the paper."""
    tokenizer: Any = Tokenizer.from_file(str(folder / "tokenizer.json"))
    bert = Bert(folder)
    bert.weights = {name.removeprefix("bert."): each for name, each in bert.weights.items()}
    scores: list[float] = []
    for document in DOCUMENTS:
        pair = tokenizer.encode(QUERY, document)
        first = bert.hidden(pair.ids, pair.type_ids)[0]
        pooled = np.tanh(first @ bert.weights["pooler.dense.weight"].T + bert.weights["pooler.dense.bias"])
        scores.append(float(1 / (1 + np.exp(-(pooled @ bert.weights["classifier.weight"].T)[0]))))
    return scores


@pytest.mark.parametrize("path", ["/v1/rerank", "/v2/rerank"])
def test_documents_come_back_the_best_first(site: Site, path: str) -> None:
    """Jina's clients post to the first, Cohere's newest to the second, and each takes what it knows from the answer."""
    told = post(site, path, model=JUDGE, query=QUERY, documents=DOCUMENTS)
    scores = expected(site.judge)
    order = sorted(range(len(DOCUMENTS)), key=lambda number: -scores[number])
    assert [each["index"] for each in told["results"]] == order
    for result in told["results"]:
        assert result["relevance_score"] == pytest.approx(scores[int(result["index"])], abs=1e-5)
        assert result["document"] == {"text": DOCUMENTS[result["index"]]}
    assert told["usage"]["total_tokens"] == told["usage"]["prompt_tokens"] > 20
    assert told["meta"]["api_version"] == {"version": path[2]}
    assert told["meta"]["billed_units"] == {"search_units": 0}
    best = post(
        site, path, model=JUDGE, query=QUERY, documents=[{"text": each} for each in DOCUMENTS], top_n=1,
        return_documents=False,
    )  # fmt: skip
    assert [(each["index"], "document" in each) for each in best["results"]] == [(order[0], False)]


def test_long_documents_are_refused_by_name_and_cut_when_asked(site: Site) -> None:
    asked = {"model": JUDGE, "query": QUERY, "documents": ["short", "horse " * 600]}
    refused = site.http.post("/v1/rerank", json=asked)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "documents")
    assert "Document 1 with the query" in refused.json()["error"]["message"]
    cut = site.http.post("/v1/rerank", json={**asked, "truncate": True})
    assert cut.status_code == 200
    assert cut.headers["x-paddock-truncated"].startswith("1 inputs, ")
    assert cut.json()["usage"]["truncated_tokens"] > 90


def test_a_cross_encoder_on_other_endpoints_names_its_own(site: Site) -> None:
    asked = {"model": JUDGE, "input": "a"}
    embeds = site.http.post("/v1/embeddings", json=asked)
    assert (embeds.status_code, "/v1/rerank" in embeds.text) == (400, True)
    chat = site.http.post(
        "/v1/chat/completions", json={"model": JUDGE, "messages": [{"role": "user", "content": "Hello"}]}
    )
    assert (chat.status_code, "/v1/rerank" in chat.text) == (400, True)
