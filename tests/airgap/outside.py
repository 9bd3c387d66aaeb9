"""One run of every feature that could reach out, with a witness of what left: `python -m tests.airgap.outside FOLDER WORDS…`.

A process of its own, because it moves into a network namespace. Prints one JSON document: what each journey was answered, and
what the witness saw of it.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx2

from tests.airgap.witness import Witness, witness
from tests.fakes.clouds import OpenAICloud, in_thread
from tests.server.running import PATIENCE_S, Process, finished, running, variables

LABELS = ("huggingface", "ollama", "kaggle", "address", "provider", "picture", "database", "stray")
Answer = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--airgap", action="store_true")
    parser.add_argument("--listeners", action="store_true", help="as on a system without namespaces")
    parser.add_argument("--brief", action="store_true", help="only what needs no server")
    words = parser.parse_args()
    words.folder.mkdir(parents=True, exist_ok=True)
    with witness(words.folder, namespace=not words.listeners) as who:
        json.dump(run(words.folder, who, airgap=words.airgap, brief=words.brief), sys.stdout)


def run(folder: Path, who: Witness, *, airgap: bool, brief: bool) -> Mapping[str, Any]:
    ports = dict(zip(LABELS, who.ports(len(LABELS)), strict=True))
    settings = {
        "HF_ENDPOINT": f"https://{who.host}:{ports['huggingface']}",
        "PADDOCK_HUB__OLLAMA_REGISTRY": f"https://{who.host}:{ports['ollama']}",
        "PADDOCK_HUB__KAGGLE_ENDPOINT": f"https://{who.host}:{ports['kaggle']}",
        "KAGGLE_USERNAME": "somebody",
        "KAGGLE_KEY": "a-key",
        "PADDOCK_PROVIDERS__CLOUD__HOST": f"https://{who.host}:{ports['provider']}",
        "PADDOCK_PROVIDERS__CLOUD__KIND": "anthropic",
        "PADDOCK_FAILOVER__ATTEMPTS_MAX": "1",
        "PADDOCK_IMAGES__ALLOW_PRIVATE": "on",
        "PADDOCK_IMAGES__RETRIES": "0",
        "PADDOCK_HUB__TIMEOUT_S": "2",
        "PADDOCK_OPTIONS__MAX_TOKENS": "8",
        **({"PADDOCK_AIRGAP": "1"} if airgap else {}),
    }
    told: dict[str, Answer] = {}

    def note(label: str, journey: Callable[[], Answer]) -> None:
        answer = journey()
        told[label] = {**answer, "seen": sorted(who.seen())}

    if brief:
        note("huggingface", lambda: _command(folder, settings, "plan", "hf://org/model", "--json"))
        return {"kind": who.kind, "told": told}
    with (
        in_thread(OpenAICloud()) as near,
        running(folder, **settings, PADDOCK_PROVIDERS__NEAR__HOST=near.url) as server,
    ):
        rule = {"match": "exact", "pattern": "far", "targets": [{"provider": "cloud", "model": "x"}]}
        assert server.post("/admin/routes/far", json=rule).status_code == 201
        rule = {"match": "exact", "pattern": "near", "targets": [{"provider": "near", "model": "x"}]}
        assert server.post("/admin/routes/near", json=rule).status_code == 201
        who.seen()
        for label, journey in _of_the_server(server, who, ports).items():
            note(label, journey)
        ledger = server.get("/admin/airgap").json()
        runners = [_held(child.pid) for child in server.runners]
        held = _held(server.process.pid)
    # What a program does by itself, without a server.
    note("plan", lambda: _command(folder, settings, "plan", "hf://org/model", "--json"))
    ledger_file = folder / "stray.jsonl"
    for kind in ("process", "runner"):
        note(f"stray {kind}", lambda kind=kind: _stray(who, ports["stray"], kind, ledger_file if airgap else None))
    note("database", lambda: _far_database(folder, settings, who, ports["database"]))
    if who.names:
        named = {**settings, "HF_ENDPOINT": "https://hub.nowhere.test"}
        note("name", lambda: _command(folder, named, "search", "x", "--json"))
    return {"kind": who.kind, "host": who.host, "told": told, "ledger": ledger, "runners": runners, "server": held}


def _of_the_server(server: Process, who: Witness, ports: Mapping[str, int]) -> Mapping[str, Callable[[], Answer]]:
    def post(path: str, **body: Any) -> Answer:
        return _answer(server.post(path, json=body))

    chat = [{"role": "user", "content": "What is 3 plus 4?"}]
    picture = {"type": "image_url", "image_url": {"url": f"http://{who.host}:{ports['picture']}/cat.png"}}
    seeing = [{"role": "user", "content": [picture, {"type": "text", "text": "What is it?"}]}]
    return {
        "huggingface": lambda: post("/admin/pulls", reference="hf://org/model"),
        "search": lambda: _answer(server.get("/admin/library/search?query=x&source=huggingface")),
        "ollama": lambda: post("/admin/pulls", reference="ollama://llama3"),
        "ollama's own way": lambda: post("/api/pull", model="hf.co/org/model", stream=False),
        "kaggle": lambda: post("/admin/pulls", reference="kaggle://owner/model/framework/variation"),
        "address": lambda: post("/admin/pulls", reference=f"https://{who.host}:{ports['address']}/model.gguf"),
        "provider": lambda: post("/v1/chat/completions", model="far", messages=chat),
        "stream": lambda: post("/v1/chat/completions", model="far", messages=chat, stream=True),
        "count": lambda: post("/v1/messages/count_tokens", model="far", messages=chat),
        "provider's list": lambda: post("/admin/providers/cloud/test"),
        "picture": lambda: post("/v1/chat/completions", model="pony-vision", messages=seeing),
        "provider here": lambda: post("/v1/chat/completions", model="near", messages=chat),
        "models": lambda: _answer(server.get("/v1/models")),
        "chat": lambda: post("/v1/chat/completions", model="pony", messages=chat, temperature=0),
        "trial": lambda: post("/admin/models/trial/pony"),
    }


def _answer(response: httpx2.Response) -> Answer:
    return {"status": response.status_code, "text": response.text[:2000]}


def _command(folder: Path, settings: Mapping[str, str], *words: str) -> Answer:
    code, out, err = finished(folder, variables(folder, **settings), *words)
    return {"status": code, "text": (out + err)[-2000:]}


def _stray(who: Witness, port: int, kind: str, ledger: Path | None) -> Answer:
    """A program that asks nobody before it reaches out."""
    words = [sys.executable, "-m", "tests.airgap.stray", who.host, str(port), kind, *([str(ledger)] if ledger else [])]
    done = subprocess.run(words, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert not done.returncode, done.stderr
    return {"status": done.returncode, "ways": json.loads(done.stdout)}


def _far_database(folder: Path, settings: Mapping[str, str], who: Witness, port: int) -> Answer:
    url = f"postgresql://somebody:secret@{who.host}:{port}/paddock"
    return _command(folder, {**settings, "PADDOCK_DATABASE__URL": url}, "list", "--json")


def _held(pid: int) -> bool:
    """Whether the kernel holds a process by a filter; None of it can be seen on other systems."""
    status = Path(f"/proc/{pid}/status")
    return status.exists() and "\nSeccomp:\t2" in status.read_text()


if __name__ == "__main__":
    main()
