"""A provider's key is where it is needed and nowhere that people look: processes, settings, answers of the API, files."""

import json
from collections.abc import Generator
from pathlib import Path

import psutil
import pytest

from tests.fakes.clouds import OpenAICloud, in_thread
from tests.server.running import Process, finished, running

KEY = "sk-the-stable-door-0123456789"
ASKED = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2}


@pytest.fixture(scope="module")
def cloud() -> Generator[OpenAICloud]:
    with in_thread(OpenAICloud()) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def server(cloud: OpenAICloud, tmp_path_factory: pytest.TempPathFactory) -> Generator[Process]:
    """One in a process of its own that has asked a provider with its key, and has a model of its own in memory."""
    with running(tmp_path_factory.mktemp("secrets")) as server:
        kept = server.put("/admin/providers/far", json={"kind": "openai", "base_url": cloud.url, "key": KEY})
        assert kept.json()["has_key"] is True
        for model in ("far/far-model", "pony"):
            assert server.post("/v1/chat/completions", json={"model": model, **ASKED}).status_code == 200
        assert cloud.asked[-1].headers["authorization"] == f"Bearer {KEY}"
        yield server


def test_no_process_shows_it(server: Process) -> None:
    """Everybody on a machine reads what others were started with."""
    processes = [psutil.Process(server.process.pid), *server.runners]
    assert len(processes) > 1, "a runner is there"
    for process in processes:
        assert not any(KEY in word for word in process.cmdline())
        assert not any(KEY in value for value in process.environ().values())


def test_no_settings_show_it(server: Process) -> None:
    for words in (["config", "show", "--json"], ["config", "show"], ["provider", "list", "--json"]):
        code, out, told = finished(server.folder, server.environment, *words)
        assert code == 0, told
        assert out
        assert KEY not in out + told
    assert KEY not in server.log


def test_no_answer_of_the_dashboards_api_shows_it(server: Process) -> None:
    """Every address that can be read is read, those that are added later too."""
    paths = server.get("/openapi.json").json()["paths"]
    readable = [
        path
        for path, methods in paths.items()
        if "{" not in path and "get" in methods and "text/event-stream" not in json.dumps(methods["get"]["responses"])
    ]
    assert "/admin/config" in readable
    for path in [*readable, "/admin/providers/far", "/metrics", "/"]:
        assert KEY not in server.get(path).text, path


def test_no_file_holds_it(server: Process) -> None:
    """It is sealed in the database, and nobody has put it aside elsewhere."""
    home = Path(server.environment["PADDOCK_HOME"])
    files = [path for path in home.rglob("*") if path.is_file()]
    assert any(path.suffix == ".db" for path in files)
    assert not [path.name for path in files if KEY.encode() in path.read_bytes()]
