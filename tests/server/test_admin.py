"""`/admin/*` as programs see it: fixed shapes, problem documents, events."""

import json
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from paddock.app import BUILTIN_MODELS
from tests.client.serving import RunningServer
from tests.fakes.faults import Slow
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Site

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Generator[Site]:
    """A machine with the built-in models and a hub with one more."""
    with HuggingFaceHub() as hub:
        hub.add_repo("org/tiny", models.mlx(kib=256), license="apache-2.0", tags=("mlx",))
        yield Site(tmp_path_factory.mktemp("machine"), hub, BUILTIN_MODELS)


@pytest.fixture(scope="module")
def server(site: Site) -> Generator[RunningServer]:
    with RunningServer(site) as server:
        yield server


@pytest.fixture
def http(server: RunningServer) -> Generator[httpx2.Client]:
    with httpx2.Client(base_url=server.url, timeout=60) as http:
        yield http


@dataclass(frozen=True)
class Told:
    """One server-sent event."""

    name: str
    data: Any


def events(http: httpx2.Client, method: str, path: str, body: object = None) -> Sequence[Told]:
    """Every event of a stream that ends by itself."""
    with http.stream(method, path, json=body) as response:
        assert response.status_code == 200, response.read()
        assert response.headers["content-type"].startswith("text/event-stream")
        text = "".join(response.iter_text())
    told: list[Told] = []
    for block in text.split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
        if lines:
            told.append(Told(lines["event"], json.loads(lines["data"])))
    return told


def test_loading_answers_in_the_fixed_shape(http: httpx2.Client) -> None:
    """Programs written against `/admin/models/*` rely on these names."""
    loaded = http.post("/admin/models/load/pony", json={"pin": True}).json()
    assert {"status": "loaded", "model_id": "pony", "model_type": "text", "preloaded": True}.items() <= loaded.items()
    assert loaded["size_gb"] > 0
    status = http.get("/admin/models/status").json()
    assert {"loaded_models", "memory", "max_memory_gb"} <= status.keys()
    model = status["loaded_models"]["pony"]
    names = {"model_type", "size_gb", "preloaded", "last_used", "state", "leases", "queue", "running", "kv"}
    assert names <= model.keys()
    assert model["kv"].keys() == {"blocks_used", "blocks_total"}
    unloaded = http.post("/admin/models/unload/pony").json()
    assert {"status": "unloaded", "model_id": "pony"}.items() <= unloaded.items()


def test_a_model_whose_name_has_a_slash_is_addressed_as_it_is_written(http: httpx2.Client) -> None:
    """Hub names have slashes; nobody should have to escape them."""
    response = http.post("/admin/models/load/org/absent")
    assert response.status_code == 404
    assert "org/absent" in response.json()["detail"]


def test_failures_are_problem_documents(http: httpx2.Client) -> None:
    """A client shows `detail` and `hint`, and branches on `code`."""
    response = http.post("/admin/models/load/pany")
    assert response.headers["content-type"] == PROBLEM
    problem = response.json()
    assert problem["code"] == "model_not_found"
    assert problem["status"] == response.status_code == 404
    assert "pony" in problem["hint"]
    assert problem["request_id"] == response.headers["x-paddock-request-id"]


@pytest.mark.parametrize(
    ("path", "body", "field"),
    [
        ("/admin/models/load/pony", {"pin": "perhaps"}, "pin"),
        ("/admin/models/load/pony", {"pinn": True}, "pinn"),
        ("/admin/models/warm/pony", {"tokens": 0}, "tokens"),
        ("/admin/library/plan", {}, "reference"),
        ("/admin/pulls", {"reference": ""}, "reference"),
        ("/admin/chats", {"model": "pony", "titel": "Mine"}, "titel"),
        ("/admin/chats/0/messages", {"messages": [{"role": "user", "parts": [{"kind": "smell"}]}]}, "kind"),
    ],
)
def test_a_body_that_is_wrong_is_refused_by_field(
    http: httpx2.Client, path: str, body: dict[str, Any], field: str
) -> None:
    """A misspelled field must not be passed over: the caller believes that it was heeded."""
    response = http.post(path, json=body)
    assert response.status_code == 400
    assert response.headers["content-type"] == PROBLEM
    assert field in response.json()["detail"]


def test_a_pull_tells_its_progress_from_nothing_to_all(http: httpx2.Client) -> None:
    """The first event says 0 %, the last 100 %, also for who comes when it is over."""
    started = http.post("/admin/pulls", json={"reference": "org/tiny"})
    assert started.status_code == 202
    job = started.json()["pull"]["id"]
    for _ in range(2):
        told = events(http, "GET", f"/admin/pulls/events/{job}")
        assert [event.name for event in told] == ["progress"] * len(told)
        shares = [event.data["percentage"] for event in told]
        assert (shares[0], shares[-1]) == (0, 100)
        assert shares == sorted(shares)
        assert told[-1].data["status"] == "complete"
    assert http.get(f"/admin/pulls/{job}").json()["status"] == "complete"
    assert http.delete("/admin/library/models/org/tiny").json()["kind"] == "deleted"


def test_a_pull_is_paused_resumed_and_cancelled(http: httpx2.Client, site: Site) -> None:
    """Whoever watches sees the pause; resuming goes on with the same job."""
    site.hub.add_repo("org/slow", models.mlx(kib=4096, seed=9))
    site.hub.fail("org/slow/model.safetensors", Slow(bytes_per_s=100_000), at="storage", times=None)
    job = http.post("/admin/pulls", json={"reference": "org/slow"}).json()["pull"]["id"]
    assert http.post(f"/admin/pulls/pause/{job}").json()["status"] == "paused"
    assert events(http, "GET", f"/admin/pulls/events/{job}")[-1].data["status"] == "paused"
    assert http.post("/admin/pulls/resume/org/slow").json()["id"] == job
    assert http.post(f"/admin/pulls/cancel/{job}").json()["status"] == "cancelled"
    assert http.post(f"/admin/pulls/resume/{job}").status_code == 404
    site.hub.heal()


def test_verifying_tells_each_file_and_then_the_result(http: httpx2.Client) -> None:
    """Reading a large model takes minutes; nobody should look at nothing."""
    told = events(http, "POST", "/admin/library/verify", {"names": ["pony"]})
    assert told[-1].name == "result"
    files = [event.data["check"]["path"] for event in told[:-1]]
    assert files == [file["path"] for file in told[-1].data["models"][0]["files"]]
    assert http.post("/admin/library/verify", json={"names": ["pany"]}).status_code == 404


def test_a_setting_is_written_to_the_file_and_says_whether_it_holds_already(http: httpx2.Client, site: Site) -> None:
    """Comments stay, broken rules are refused, and nobody waits for a change that needs a restart."""
    site.config.paths.config_file.parent.mkdir(parents=True, exist_ok=True)
    site.config.paths.config_file.write_text("# mine\ndisk: {factor: 2.0}\n")
    changed = http.put("/admin/config/log.level", json={"value": "warning"}).json()
    assert changed["applied"]
    changed = http.put("/admin/config/disk.factor", json={"value": "3"}).json()
    assert not changed["applied"]
    assert "# mine" in site.config.paths.config_file.read_text()
    assert site.config.disk.factor == 3
    refused = http.put("/admin/config/disk.factor", json={"value": "none"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_config")
    assert http.get("/admin/config/disk.facto").status_code == 400
    settings = {line["key"]: line for line in http.get("/admin/config").json()["settings"]}
    assert settings["server.port"]["source"] == "default"
    assert settings["disk.factor"]["value"] == 2, "what is in force, not what the file says"
    assert not http.delete("/admin/config/disk.factor").json()["applied"]
    assert site.config.disk.factor == 2


def test_limits_and_options_hold_at_once(http: httpx2.Client, site: Site) -> None:
    """Nobody restarts a server, and cuts off whom it answers, to give its models less memory."""
    http.post("/admin/models/load/pony")
    http.post("/admin/models/load/foal")
    for key, value in {"pool.max_models": "1", "options.max_tokens": "3", "pool.keep_alive": "forever"}.items():
        changed = http.put(f"/admin/config/{key}", json={"value": value}).json()
        assert (changed["applied"], changed["note"]) == (True, "Holds now."), changed
    status = http.get("/admin/models/status").json()
    assert status["max_models"] == 1
    # Usually foal, the younger one; a model whose load took long stays as long, so on a busy machine it may be pony.
    (left,) = [name for name, model in status["loaded_models"].items() if model["state"] != "unloading"]
    body = {"model": left, "messages": [{"role": "user", "content": "Tell me a story."}], "ignore_eos": True}
    answer = http.post("/v1/chat/completions", json=body).json()
    assert answer["usage"]["completion_tokens"] == 3
    changed = http.put(f"/admin/config/models.{left}.options.max_tokens", json={"value": "2"}).json()
    assert changed["applied"]
    assert http.post("/v1/chat/completions", json=body).json()["usage"]["completion_tokens"] == 2
    settings = {line["key"]: line for line in http.get("/admin/config").json()["settings"]}
    assert (settings["pool.max_models"]["value"], settings["options.max_tokens"]["value"]) == (1, 3)
    for key, value in {"pool.preload": "pony", "models.pony.pin": "true", "server.port": "1234"}.items():
        changed = http.put(f"/admin/config/{key}", json={"value": value}).json()
        assert (changed["applied"], changed["note"]) == (False, "Holds from the next start of the server on.")
    site.config.paths.config_file.write_text("pool: {max_models: 3}\n")
    assert http.post("/admin/config/reread", json={"key": "pool.max_models"}).json()["applied"]
    assert http.get("/admin/models/status").json()["max_models"] == 3, "what somebody wrote with an editor"
    http.delete("/admin/config/pool.max_models")


def test_profiles_and_providers_that_are_set_hold_at_once(http: httpx2.Client) -> None:
    """They are read anew for each request; nobody restarts a server for a profile."""
    for key, value in {
        "model.routing.profiles.tiny.min_context_window": "1000",
        "model.routing.overrides.tiny": "foal",
        "providers.far.host": "http://127.0.0.1:9/v1",
    }.items():
        changed = http.put(f"/admin/config/{key}", json={"value": value}).json()
        assert (changed["applied"], changed["note"]) == (True, "Holds now."), changed
    profiles = http.get("/admin/profiles").json()
    assert "tiny" in {one["name"] for one in profiles["profiles"]}
    answer = http.post("/admin/route/explain", json={"model": "auto:tiny"}).json()
    assert answer["targets"][0]["model"] == "foal"
    assert [one["name"] for one in http.get("/admin/providers").json()["providers"]] == ["far"]
    for key in ("model.routing.overrides.tiny", "model.routing.profiles.tiny.min_context_window", "providers.far.host"):
        assert http.delete(f"/admin/config/{key}").json()["applied"]


def test_a_profile_is_written_whole_and_removed_with_what_names_it(http: httpx2.Client) -> None:
    """A form that is refused must leave nothing half-written behind."""
    body = {
        "description": "yes: {no}",  # would be a mapping, were it read as YAML
        "preferred_families": ["qwen", "llama"],
        "min_context_window": 1000,
        "required_capabilities": ["streaming", "tools"],
        "fallback_profile": "fast",
        "override": "foal",
    }
    written = http.put("/admin/profiles/tiny", json=body)
    listed = http.get("/admin/profiles").json()
    told = next(one for one in listed["profiles"] if one["name"] == "tiny")
    assert told == {"name": "tiny", "own": True, **{key: value for key, value in body.items() if key != "override"}}
    assert told == written.json()
    assert listed["overrides"] == {"tiny": "foal"}
    for wrong in ({"required_capabilities": ["flying"]}, {"fallback_profile": "nobody"}, {"override": "no name"}):
        refusal = http.put("/admin/profiles/half", json={"description": "half", **wrong})
        assert (refusal.status_code, refusal.json()["code"]) == (400, "invalid_config")
    assert "half" not in http.get("/admin/profiles").text
    bare = http.put("/admin/profiles/tiny", json={"fallback_profile": None})
    assert (bare.status_code, bare.json().get("fallback_profile")) == (200, None)
    assert http.get("/admin/profiles").json()["overrides"] == {}
    http.put("/admin/profiles/tiny", json=body)
    http.put("/admin/config/model.routing.default_profile", json={"value": "tiny"})
    assert http.delete("/admin/profiles/tiny").status_code == 400, "`auto` follows it"
    assert http.get("/admin/profiles").json()["overrides"] == {"tiny": "foal"}, "all or none"
    http.delete("/admin/config/model.routing.default_profile")
    removed = http.delete("/admin/profiles/tiny")
    assert removed.json().get("name") == "tiny", removed.text
    assert "tiny" not in http.get("/admin/profiles").text
    for name in ("tiny", "general"):
        assert http.delete(f"/admin/profiles/{name}").status_code == 404


def test_a_variable_goes_over_what_is_written(tmp_path: Path, site: Site) -> None:
    """The answer tells what holds, so that nobody wonders why nothing changed."""
    site = Site(tmp_path, site.hub, BUILTIN_MODELS, environment={"PADDOCK_POOL__MAX_MODELS": "2"})
    with RunningServer(site) as server, httpx2.Client(base_url=server.url, timeout=60) as http:
        changed = http.put("/admin/config/pool.max_models", json={"value": "1"}).json()
        assert changed["value"] == 2
        assert "PADDOCK_POOL__MAX_MODELS" in changed["source"]
        assert http.get("/admin/models/status").json()["max_models"] == 2


def test_a_model_that_was_just_loaded_shows_its_cache(http: httpx2.Client) -> None:
    """A dashboard that divides by the blocks there are must not meet a zero."""
    http.post("/admin/models/unload/pony", params={"force": True})
    http.post("/admin/models/load/pony")
    assert http.get("/admin/models/status").json()["loaded_models"]["pony"]["kv"]["blocks_total"] > 0


def test_limits_are_looked_at_before_they_hold(http: httpx2.Client) -> None:
    """Who would leave is the server's to say: the same choice as later, made of the same figures."""
    http.post("/admin/models/load/pony", json={"pin": False})
    models = http.get("/admin/models/status").json()["max_models"]
    preview = http.post("/admin/models/limits/plan", json={"memory": "1MB", "policy": "largest"}).json()
    assert "pony" in [one["name"] for one in preview["leaves"]]
    assert (preview["budget_bytes"], preview["max_models"], preview["policy"]) == (1_000_000, models, "largest")
    assert "pony" in http.get("/admin/models/status").json()["loaded_models"]
    same = http.post("/admin/models/limits/plan", json={}).json()
    assert (same["leaves"], same["over_bytes"], same["over_models"]) == ([], 0, 0)
    assert [one["held_by"] for one in same["stays"] if one["name"] == "pony"] == [""]
    refused = http.post("/admin/models/limits/plan", json={"memory": "lots"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_config")
    assert "`pool.memory` cannot be `lots`" in refused.json()["detail"]


def test_several_settings_are_written_together_or_not_at_all(http: httpx2.Client) -> None:
    """Limits that are changed together must not evict by half of what was meant."""
    wrong = http.patch("/admin/config", json={"values": {"pool.max_models": "3", "pool.policy": "tallest"}})
    assert wrong.status_code == 400
    assert http.get("/admin/config/pool.max_models").json()["source"] == "default"
    told = http.patch("/admin/config", json={"values": {"pool.max_models": "3", "pool.policy": "largest"}}).json()
    assert [one["key"] for one in told["settings"]] == ["pool.max_models", "pool.policy"]
    assert [http.delete(f"/admin/config/pool.{key}").status_code for key in ("max_models", "policy")] == [200, 200]


def test_models_are_carried_in_folders_of_the_servers_machine(http: httpx2.Client, tmp_path: Path) -> None:
    """A person with a browser and a disk in the server needs no shell."""
    folder = tmp_path / "carried"
    plan = http.post("/admin/library/export", json={"folder": str(folder), "names": ["pony"], "dry_run": True}).json()
    assert (plan["models"], plan["dry_run"], folder.exists()) == (["pony"], True, False)
    assert plan["total_bytes"] > 1_000_000
    assert http.post("/admin/library/export", json={"folder": str(folder), "names": ["pony"]}).json()["models"] == [
        "pony"
    ]
    assert (folder / "models.lock").is_file()
    told = http.post("/admin/library/import", json={"folder": str(folder), "dry_run": True}).json()
    assert (told["models"], told["total_bytes"]) == (["pony"], None)
    for wrong in ("carried", "../carried", "a\0b"):
        refused = http.post("/admin/library/import", json={"folder": wrong})
        assert (refused.status_code, refused.json()["code"]) == (400, "usage"), wrong
    assert http.post("/admin/library/import", json={"folder": str(tmp_path / "none")}).status_code == 400


def test_registry_and_templates_are_kept(http: httpx2.Client) -> None:
    """What the command line keeps, programs can keep."""
    entry = http.put("/admin/registry/mini", json={"reference": "org/tiny"}).json()
    assert entry["own"]
    assert http.post("/admin/library/plan", json={"reference": "mini"}).json()["name"] == "org/tiny"
    assert http.delete("/admin/registry/mini").status_code == 200
    assert http.delete("/admin/registry/mini").status_code == 404
    saved = http.put("/admin/templates/greet", json={"text": "Hello {{ name }}", "defaults": {}})
    assert saved.status_code == 200, saved.text
    rendered = http.post("/admin/templates/greet/render", json={"variables": {"name": "Ada"}}).json()
    assert rendered["text"] == "Hello Ada"
    assert http.delete("/admin/templates/greet").json()["name"] == "greet"


def test_conversations_are_kept_and_deleted_only_on_purpose(http: httpx2.Client) -> None:
    """A client that loses an id must not delete everything."""
    chat = http.post("/admin/chats", json={"model": "pony"})
    assert (chat.status_code, chat.json()["messages"]) == (201, [])
    place = f"/admin/chats/{chat.json()['id']}"
    message = {"role": "user", "parts": [{"kind": "text", "text": "Hello"}]}
    saved = http.post(f"{place}/messages", json={"messages": [message]})
    assert (saved.status_code, saved.json()["messages"][0]["position"]) == (201, 0)
    assert http.post("/admin/chats/search", json={"search": "HELLO"}).json()["chats"][0]["title"] == "Hello"
    assert http.put(f"{place}/title", json={"title": "Mine"}).json()["title"] == "Mine"
    assert http.post(f"{place}/branch", json={"at": 0}).json()["branched_from"]["position"] == 0
    tag = http.get(place).headers["etag"]
    assert http.get(place, headers={"if-none-match": tag}).status_code == 304
    assert http.post(f"{place}/messages", json={"messages": [message], "after": 0}).json()["code"] == "went_on"
    assert http.put(f"{place}/options", json={"options": {"temperature": 0}}).json()["options"]["temperature"] == 0
    assert http.get(place, headers={"if-none-match": tag}).status_code == 200
    assert len(http.get(f"{place}/branches").json()["chats"]) == 2
    assert http.delete("/admin/chats").status_code == 400
    assert http.delete("/admin/chats", params={"all": "false"}).status_code == 400
    assert len(http.get("/admin/chats").json()["chats"]) == 2
    assert http.delete("/admin/chats", params={"all": "true"}).json() == {"deleted": 2}
    assert http.get(place).json()["code"] == "not_found"


def test_the_log_is_read_from_afar(http: httpx2.Client, server: RunningServer) -> None:
    """Who has no shell on the machine can still see what happened."""
    assert server.rooms is not None
    server.rooms.log_tail.add({"event": "something", "level": "info"})
    lines = http.get("/admin/logs", params={"lines": 1}).json()["lines"]
    assert [line["event"] for line in lines] == ["something"]
    with http.stream("GET", "/admin/logs/events", params={"lines": 1}) as response:
        following = response.iter_lines()
        assert next(following) == "event: line"
        assert json.loads(next(following).removeprefix("data: "))["event"] == "something"
        server.rooms.log_tail.add({"event": "later", "level": "info"})
        later = next(line for line in following if "later" in line)
    assert json.loads(later.removeprefix("data: "))["event"] == "later"
