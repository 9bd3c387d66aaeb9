"""A model that a server pulled is tried by itself, when the settings say so."""

import time
from pathlib import Path

import httpx2

from paddock.app import BUILTIN_MODELS
from tests.client.serving import RunningServer
from tests.fakes.huggingface import HuggingFaceHub
from tests.library.rooms import Site

PATIENCE_S = 60


def test_a_pulled_model_is_tried(tmp_path: Path) -> None:
    """Nobody asked for it by name, and `show` knows."""
    with HuggingFaceHub() as hub:
        hub.add_repo("org/pony", {file.name: file.read_bytes() for file in (BUILTIN_MODELS / "pony").iterdir()})
        site = Site(tmp_path, hub, BUILTIN_MODELS)
        site.environment["PADDOCK_LIBRARY__TRIAL"] = "on"
        with RunningServer(site) as server, httpx2.Client(base_url=server.url, timeout=60) as http:
            http.post("/admin/pulls", json={"reference": "org/pony"}).raise_for_status()
            ends = time.monotonic() + PATIENCE_S
            while True:
                shown = http.get("/admin/library/show/org/pony")
                if shown.is_success and shown.json().get("trial"):
                    break
                assert time.monotonic() < ends, "it was never tried"
                time.sleep(0.1)
    assert shown.json()["trial"]["can"]["tools"]
