"""`--airgap`, seen from outside: the same journeys, without it and with it, and somebody who sees every packet.

The journeys run in a network namespace of their own where the system allows one; `witness.py` says what sees them elsewhere.
"""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from paddock.airgap import kernel

pytestmark = pytest.mark.xdist_group("airgap")

PATIENCE_S = 240.0
ANSWERED_HERE = {"provider here", "models", "chat", "trial"}
STRAY = {"stray process", "stray runner"}


def run(folder: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.airgap.outside", str(folder), *words],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    return run(tmp_path_factory.mktemp("without"))


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Any]:
    return run(tmp_path_factory.mktemp("kept"), "--airgap")


def test_without_it_every_journey_reaches_out(without: Mapping[str, Any]) -> None:
    """Else the witness would see nothing because there is nothing to see."""
    silent = {name for name, told in without["told"].items() if not told["seen"]}
    assert silent == ANSWERED_HERE


def test_with_it_nothing_leaves_this_machine(kept: Mapping[str, Any]) -> None:
    """Pulls of every source, searches, providers, pictures, look-ups, a far database, a trial, and code that asks nobody."""
    assert {name: told["seen"] for name, told in kept["told"].items() if told["seen"]} == {}


def test_both_runs_make_the_same_journeys(without: Mapping[str, Any], kept: Mapping[str, Any]) -> None:
    assert without["told"].keys() == kept["told"].keys()


def test_each_refusal_says_so_and_names_the_host_and_the_option(kept: Mapping[str, Any]) -> None:
    """Beforehand and in words, rather than as a connection that failed."""
    for name, told in kept["told"].items():
        if name in ANSWERED_HERE or name in STRAY:
            continue
        assert told["status"] in (403, 5), name
        assert "--airgap" in told["text"], name
        host = "hub.nowhere.test" if name == "name" else kept["host"]
        assert f"`{host}` was not asked" in told["text"], name


def test_what_is_here_keeps_working(kept: Mapping[str, Any]) -> None:
    told = kept["told"]
    assert {told[name]["status"] for name in ANSWERED_HERE} == {200}
    assert "7" in told["chat"]["text"]


def test_code_that_asks_nobody_is_refused_in_every_way(kept: Mapping[str, Any]) -> None:
    """Python's own ways by the hook; what is native, and programs that are started, by the kernel."""
    by_kernel = {"native datagram", "child's datagram", "native connection", "child's connection"}
    for name in STRAY:
        tried = {way for way, became in kept["told"][name]["ways"].items() if became != "refused"}
        assert tried == (set() if kernel.is_available() else by_kernel & tried), name


def test_without_it_the_same_code_is_not_refused(without: Mapping[str, Any]) -> None:
    for name in STRAY:
        assert set(without["told"][name]["ways"].values()) == {"tried"}, name


def test_the_ledger_lists_what_was_refused_and_for_whom(kept: Mapping[str, Any]) -> None:
    ledger = kept["ledger"]
    assert ledger["airgap"]
    assert ledger["hook"]
    assert {one["who"] for one in ledger["refusals"]} == {"a hub", "the provider cloud", "a picture"}
    assert {one["process"] for one in ledger["refusals"]} == {"serve"}
    assert {one["host"] for one in ledger["refusals"]} == {kept["host"]}
    assert all(one["port"] and one["pid"] and one["at"] for one in ledger["refusals"])


def test_server_and_runners_are_held_by_the_kernel_where_it_can(
    without: Mapping[str, Any], kept: Mapping[str, Any]
) -> None:
    held = kernel.is_available()
    assert kept["server"] is held
    assert kept["runners"] == [held] * len(kept["runners"])
    assert kept["runners"]
    assert kept["ledger"]["kernel"] is held
    assert not without["ledger"]["airgap"]


def test_a_system_without_namespaces_has_a_witness_too(tmp_path: Path) -> None:
    words = ("--listeners", "--brief")
    assert run(tmp_path / "without", *words)["told"]["huggingface"]["seen"]
    found = run(tmp_path / "kept", *words, "--airgap")
    assert found["kind"] == "listeners"
    assert found["told"]["huggingface"]["seen"] == []
