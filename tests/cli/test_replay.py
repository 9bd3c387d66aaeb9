"""`paddock route replay`: what other rules would have done to the requests of a day, with what it would have cost."""

import asyncio
import json
from pathlib import Path

from paddock.audit.journal import Journal
from paddock.db.engine import Database
from paddock.errors import StorageError, UsageError
from tests.audit.journals import PRICES, NoVault, request
from tests.cli.running import Cli
from tests.cli.test_audit import check
from tests.client.serving import RunningServer
from tests.library.rooms import Site

RULES = {
    "paddock_rules": 1,
    "rules": [
        {"name": "home", "match": "prefix", "pattern": "gpt-", "targets": [{"provider": "near", "model": "pony"}]},
        {"name": "all", "match": "exact", "pattern": "pony", "targets": [{"provider": "near", "model": "pony"}]},
    ],
}


def asked(site: Site, *rows: dict[str, object]) -> None:
    async def go() -> None:
        async with await Database.open(site.config.paths.database_file) as database:
            journal = Journal(database=database, sealer=NoVault(), prices=lambda: PRICES, queue_max=100)
            for number, more in enumerate(rows):
                journal.add(request(site.clock, number, **more))
            await journal.flush()

    asyncio.run(go())


def test_a_draft_says_who_would_move_and_what_it_would_cost(cli: Cli, site: Site, tmp_path: Path) -> None:
    cli("provider", "add", "near", "--url", "http://127.0.0.1:9/v1")
    cli("config", "set", "audit.prices", '{"gpt-*": {prompt: 10, completion: 30}, "pony*": {prompt: 1, completion: 1}}')
    cloud = {"asked_model": "gpt-5", "model": "gpt-5", "provider": "openai", "prompt_tokens": 1000}
    asked(
        site,
        *[cloud] * 3,
        {"model": "pony", "provider": "near"},
        {"asked_model": "", "model": "", "endpoint": "/admin/routes/{name}"},
        {"asked_model": "unheard", "model": "", "provider": "", "status": 404},
        {"asked_model": "gone", "model": "gone"},
    )
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(RULES))
    done = cli("route", "replay", "--rules", str(file), "--json")
    assert done.code == 0, done.err
    check(done, "route replay")
    told = done.document
    assert {name: told[name] for name in ("requests", "same", "moved", "nobody", "undecided", "skipped")} == {
        "requests": 6,
        "same": 2,
        "moved": 3,
        "nobody": 1,
        "undecided": 0,
        "skipped": 1,
    }
    first = told["groups"][0]
    assert (first["count"], first["asked_model"], first["outcome"]["route"]) == (3, "gpt-5", "rule:home")
    assert first["outcome"]["after"] == {"provider": "near", "model": "pony"}
    cost = told["cost"]
    assert (cost["requests"], cost["before_nanos"]) == (3, 3 * (1000 * 10 + 5 * 30) * 1000)
    assert cost["after_nanos"] == 3 * (1000 + 5) * 1000
    shown = cli("route", "replay", "--rules", str(file), "--limit", "1").out
    assert "3 go elsewhere" in shown
    assert "gpt-5 of openai" in shown
    assert cli("route", "--json").document["rules"] == [], "nothing is saved"


def test_a_server_that_runs_says_the_same(cli: Cli, site: Site, tmp_path: Path) -> None:
    """It knows more of models and providers; of the same rows and rules it says the same."""
    asked(site, {"asked_model": "gpt-5", "model": "gpt-5", "provider": "openai"}, {"model": "pony", "provider": "near"})
    cli("provider", "add", "near", "--url", "http://127.0.0.1:9/v1")
    file = tmp_path / "rules.json"
    file.write_text(json.dumps(RULES))
    draft = tmp_path / "draft.yaml"
    draft.write_text("model: {routing: {default_profile: code}}\n")
    cli("config", "set", "audit.days", "3650")
    words = ("route", "replay", "--rules", str(file), "--profiles", str(draft), "--since", "2026-01-01", "--json")
    alone = cli(*words).document
    with RunningServer(site):
        served = cli(*words)
    assert served.code == 0, served.err
    assert (alone["moved"], alone["same"]) == (1, 1)
    assert {**served.document, "since": 0, "until": 0} == {**alone, "since": 0, "until": 0}


def test_profiles_are_tried_from_a_settings_file(cli: Cli, site: Site, tmp_path: Path) -> None:
    """A profile is a setting, so a draft of one is a file of settings."""
    asked(site, {"asked_model": "auto:mine", "model": "gone"})
    file = tmp_path / "draft.yaml"
    file.write_text("model: {routing: {profiles: {mine: {min_context_window: 1}}}}\n")
    told = cli("route", "replay", "--profiles", str(file), "--json").document
    assert told["groups"][0]["outcome"]["fate"] == "nobody"
    assert "suits the profile `mine`" in told["groups"][0]["outcome"]["reason"], "it is known now"
    file.write_text("model: {routing: {profiles: {mine: {required_capabilities: telepathy}}}}\n")
    assert cli("route", "replay", "--profiles", str(file)).code == UsageError.exit_code


def test_what_is_wrong_with_a_draft_is_said(cli: Cli, tmp_path: Path) -> None:
    assert cli("route", "replay").code == UsageError.exit_code
    assert cli("route", "replay", "--rules", str(tmp_path / "none.json")).code == StorageError.exit_code
    assert cli("route", "replay", "--profiles", str(tmp_path / "none.yaml")).code == StorageError.exit_code
    file = tmp_path / "rules.json"
    file.write_text("{}")
    assert cli("route", "replay", "--rules", str(file)).code == UsageError.exit_code
    file.write_text(json.dumps(RULES))
    assert cli("route", "replay", "--rules", str(file), "--since", "1h", "--until", "2h").code == UsageError.exit_code
    assert cli("route", "replay", "--rules", str(file), "--limit", "9999").code == UsageError.exit_code
