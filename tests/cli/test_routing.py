"""Rules, profiles and providers at the command line: what is wrong is said before it is saved, keys are never shown."""

import json

import pytest

from tests.cli.running import Cli
from tests.fakes.clouds import OpenAICloud, in_thread


def test_a_rule_is_tested_before_it_is_saved(cli: Cli) -> None:
    assert cli("provider", "add", "far", "--url", "http://127.0.0.1:9/v1").code == 0
    done = cli(
        "route", "add", "gpt", "--prefix", "gpt-", "--to", "far=", "--to", "pony", "--test", "gpt-5", "--test", "x"
    )
    assert done.code == 0, done.err
    assert "gpt-5: decides; asked are gpt-5 of far." in done.out
    assert "x: does not fit; nobody answers." in done.out
    listed = cli("route", "--json").document["rules"]
    assert [(one["name"], [t["provider"] for t in one["targets"]]) for one in listed] == [("gpt", ["far", ""])]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--regex", "(", "--to", "pony"), "missing )"),
        (("--prefix", "a", "--exact", "b", "--to", "pony"), "one pattern"),
        (("--prefix", "a"), "leads nowhere"),
        (("--to", "pony"), "needs a pattern"),
        (("--prefix", "a", "--to", "nobody=x"), "no provider `nobody`"),
        (("--exact", "a", "--to", "far={rest}"), "stands for nothing"),
    ],
)
def test_what_is_wrong_with_a_rule_is_said_and_nothing_is_saved(cli: Cli, words: tuple[str, ...], says: str) -> None:
    cli("provider", "add", "far", "--url", "http://127.0.0.1:9/v1")
    done = cli("route", "add", "r", *words)
    assert done.code == 2
    assert says in done.err
    assert cli("route", "--json").document["rules"] == []


def test_rules_are_carried_all_or_none(cli: Cli) -> None:
    cli("route", "add", "one", "--exact", "a", "--to", "pony")
    file = cli("route", "export").out
    cli("route", "rm", "one")
    cli("route", "add", "two", "--exact", "b", "--to", "pony")
    done = cli("route", "import", "-", "--replace", "--json", stdin=file).document
    assert (done["added"], done["removed"]) == (["one"], ["two"])
    broken = json.loads(file)
    broken["rules"].append({**broken["rules"][0], "name": "bad", "match": "regex", "pattern": "("})
    assert cli("route", "import", "-", stdin=json.dumps(broken)).code == 2
    assert [rule["name"] for rule in cli("route", "--json").document["rules"]] == ["one"]
    assert cli("route", "import", "-", stdin="{}").code == 2


def test_explain_says_who_and_why_not(cli: Cli) -> None:
    done = cli("route", "explain", "auto:code")
    assert done.code == 4, "no model is here"
    assert "No model here suits the profile `code`" in done.out
    found = cli("route", "explain", "nothing-here", "--json").document
    assert found["targets"] == []
    assert "`nothing-here`" in found["error"]


def test_a_key_is_kept_and_never_shown(cli: Cli) -> None:
    with in_thread(OpenAICloud()) as cloud:
        cli("provider", "add", "far", "--url", cloud.url)
        assert cli("provider", "key", "far", stdin="sk-very-secret\n").code == 0
        tried = cli("provider", "test", "far")
        assert "far-model" in tried.out
        assert cloud.seen[-1].headers["authorization"] == "Bearer sk-very-secret"
    shown = cli("provider", "--json")
    assert shown.document["providers"][0]["has_key"] is True
    assert "sk-very-secret" not in shown.out + cli("provider").out + cli("vault", "--json").out
    files = b"".join(path.read_bytes() for path in cli.site.home.rglob("*") if path.is_file())
    assert b"sk-very-secret" not in files
    cli("provider", "rm", "far")
    assert cli("vault", "--json").document["entries"] == []


def test_a_key_for_a_plain_address_elsewhere_is_refused(cli: Cli) -> None:
    cli("provider", "add", "gpu", "--url", "http://gpu.example:8000/v1")
    done = cli("provider", "key", "gpu", stdin="sk\n")
    assert done.code == 2
    assert "read on the way" in done.err


def test_a_provider_that_is_not_there_says_so(cli: Cli) -> None:
    cli("provider", "add", "far", "--url", "http://127.0.0.1:9/v1")
    done = cli("provider", "test", "far", "--json")
    assert done.code == 5
    assert done.error["code"] == "provider_unreachable"
    assert cli("provider", "test", "nobody").code == 4


def test_profiles_are_made_changed_and_taken_back(cli: Cli) -> None:
    assert (
        cli("profile", "add", "mine", "--families", "qwen,llama", "--context", "4096", "--fallback", "general").code
        == 0
    )
    shown = cli("profile", "show", "mine", "--json").document
    assert shown["preferred_families"] == ["qwen", "llama"]
    assert shown["fallback_profile"] == "general"
    assert cli("profile", "edit", "code", "--context", "1000").code == 0
    code = cli("profile", "show", "code", "--json").document
    assert (code["own"], code["min_context_window"], code["fallback_profile"]) == (True, 1000, "general")
    assert cli("profile", "rm", "code").code == 0
    assert cli("profile", "show", "code", "--json").document["min_context_window"] == 16384
    wrong = cli("profile", "add", "bad", "--capabilities", "telepathy")
    assert wrong.code == 2
    assert "must be some of" in wrong.err
    assert cli("profile", "rm", "general").code == 4


def test_a_request_that_a_router_has_to_read_is_left_open_without_a_server(cli: Cli) -> None:
    """No model runs at the command line: that is said, and the profile's answer is shown."""
    cli("config", "set", "model.routing.routers.topics.routes.general.to", "auto")
    request = '{"model": "router:topics", "messages": [{"role": "user", "content": "Hi"}]}'
    shown = cli("route", "explain", "--request", "-", stdin=request)
    assert "has to read the text" in shown.out
    assert cli("route", "explain", "--request", "-", stdin='{"messages": 3}').code == 2
