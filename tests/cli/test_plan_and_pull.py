"""`plan` tells before, `pull` asks when it must, and both say no with the right number."""

import json
from dataclasses import replace

import pytest

from paddock.library.machine import Machine
from tests.cli.running import Cli
from tests.fakes.faults import Drop
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models

WEIGHTS = "org/tiny/model.safetensors"


def test_a_plan_says_everything(cli: Cli) -> None:
    done = cli("plan", "org/tiny")
    assert done.code == 0
    for words in (
        "To fetch   8.6 kB, 0 bytes here already",
        "the working context",
        "Licence    apache-2.0",
        "Gated      no",
    ):
        assert words in done.out
    assert done.out.splitlines()[-1] == "Fetch it with `paddock pull org/tiny`."


def test_a_plan_moves_no_weights(cli: Cli, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/big", models.mlx(kib=4096))
    assert cli("plan", "org/big").code == 0
    assert hub.bytes_sent("org/big/model.safetensors") < 1 << 20, "only the header is read"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"free_bytes": 1000}, "not_enough_disk"),
        ({"machine": Machine("cpu", 1 << 20, 1 << 20)}, "not_enough_memory"),
    ],
)
def test_a_plan_that_will_not_fit_ends_with_3(cli: Cli, change: dict[str, object], code: str) -> None:
    """A script that asks first must be told no by the exit code."""
    cli.site = replace(cli.site, **change)  # type: ignore[arg-type]
    done = cli("plan", "org/tiny", "--json")
    assert done.code == 3
    assert done.document["refused"]["code"] == code
    assert cli("plan", "org/tiny").out.splitlines()[-1].startswith("hint: ")
    assert cli("pull", "org/tiny").code == 3


def test_a_plan_for_what_cannot_run_ends_with_3(cli: Cli, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/pickle", {"config.json": b"{}", "pytorch_model.bin": bytes(4096)})
    done = cli("plan", "org/pickle")
    assert done.code == 3
    assert "pickles" in done.err


def test_a_pull_ends_with_one_line(cli: Cli) -> None:
    """What it is called, how large it is, where it is, and what to do next."""
    done = cli("pull", "org/tiny")
    assert done.code == 0
    assert done.out.startswith("org/tiny: 8.6 kB in ")
    assert done.out.endswith("See it with: paddock show org/tiny\n")
    assert done.out.count("\n") == 1
    assert done.err.splitlines()[-1].startswith("org/tiny: done, 100.0 %")


def test_a_pull_reports_from_0_to_100_percent(cli: Cli) -> None:
    done = cli("pull", "org/tiny", "--json")
    events = [report["progress"] for report in done.reports]
    assert events[0]["percentage"] == 0.0
    assert (events[-1]["percentage"], events[-1]["status"]) == (100.0, "complete")
    assert done.document["name"] == "org/tiny"


def test_a_tight_disk_is_a_question(cli: Cli) -> None:
    """Nobody is there to answer in a script, so it is a refusal that names the answer."""
    cli.site.free_bytes = 12_000  # above the size and a tenth, below twice the size
    done = cli("pull", "org/tiny", "--json")
    assert done.code == 2
    assert "--yes" in done.error["hint"]
    assert cli("list", "--json").document == {"models": []}
    assert cli("pull", "org/tiny", "--yes").code == 0


def test_a_pull_that_lost_its_hub_goes_on_where_it_stopped(cli: Cli, hub: HuggingFaceHub) -> None:
    cli.break_off("org/big")
    done = cli("pulls", "--json")
    assert [(one["name"], one["status"]) for one in done.document["pulls"]] == [("org/big", "error")]
    hub.forget()
    assert cli("pulls", "resume", "org/big").code == 0
    asked = [entry.range for entry in hub.requests("org/big/model.safetensors", at="storage")]
    assert asked[-1] is not None
    assert asked[-1] != "bytes=0-", "the first kilobytes were fetched twice"
    assert cli("pulls").out == "No downloads under way.\n"


def test_cancel_deletes_what_is_here(cli: Cli) -> None:
    cli.break_off("org/big")
    assert cli("pulls", "cancel", "org/big").code == 2, "it asks, and nobody answers"
    assert cli("pulls", "cancel", "org/big", "--dry-run").code == 0
    assert cli.site.leftovers() != []
    assert cli("pulls", "cancel", "org/big", "--yes").code == 0
    assert cli.site.leftovers() == []
    assert [one["status"] for one in cli("pulls", "--all", "--json").document["pulls"]] == ["cancelled"]


def test_a_short_transfer_fault_heals_by_itself(cli: Cli, hub: HuggingFaceHub) -> None:
    hub.fail(WEIGHTS, Drop(after=4096), at="storage", skip=1)
    assert cli("pull", "org/tiny").code == 0
    assert cli("verify", "org/tiny").code == 0


@pytest.mark.parametrize(
    ("reference", "code", "says"),
    [
        ("org/tinny", 4, "Did you mean `org/tiny`?"),
        ("no//name", 2, "Write `org/name`"),
        ("", 2, "The model reference is empty."),
        ("http://example.org/model.gguf", 5, "Use an `https://` address"),
        ("tinny", 4, "There is no model `tinny`."),
    ],
)
def test_references_that_lead_nowhere(cli: Cli, reference: str, code: int, says: str) -> None:
    for command in ("plan", "pull"):
        done = cli(command, reference)
        assert (done.code, done.out) == (code, "")
        assert says in done.err


def test_a_gated_model_names_its_page(cli: Cli, hub: HuggingFaceHub) -> None:
    """The way in is a page on the hub; without its address the person is stuck."""
    hub.add_repo("org/gated", models.mlx(), gated="manual")
    assert "Gated      yes" in cli("plan", "org/gated").out
    done = cli("pull", "org/gated")
    assert done.code == 1
    assert f"{hub.url}/org/gated" in done.err


def test_offline_a_known_plan_is_told_as_it_was(cli: Cli, hub: HuggingFaceHub) -> None:
    """On a train, what was seen yesterday is better than nothing, as long as it says that it is old."""
    cli("pull", "org/tiny")
    hub.add_repo("org/seen", models.mlx(seed=1))
    cli("plan", "org/seen")
    for offline in ({"HF_HUB_OFFLINE": "1"}, {"HF_ENDPOINT": "http://127.0.0.1:9"}):
        done = cli("plan", "org/seen", "--json", environment=offline)
        assert (done.code, done.document["stale"]) == (0, True)
        assert "note: The hub cannot be reached" in cli("plan", "org/seen", environment=offline).out
        assert [one["name"] for one in cli("list", "--json", environment=offline).document["models"]] == ["org/tiny"]
        assert cli("show", "tiny", environment=offline).code == 0
        assert cli("pull", "org/seen", environment=offline).code == 5
        assert cli("plan", "org/never", environment=offline).code == 5


def test_a_local_folder_joins_the_list_where_it_is(cli: Cli) -> None:
    folder = cli.site.folder / "mine"
    folder.mkdir()
    for path, content in models.mlx().items():
        (folder / path).write_bytes(content)
    assert "nothing: it is used where it is" in cli("plan", f"file://{folder}").out
    assert cli("pull", f"file://{folder}", "--name", "own").code == 0
    listed = cli("list", "--json").document["models"]
    assert [(one["name"], one["origin"]) for one in listed] == [("own", "registered")]
    assert json.loads(cli("rm", "own", "--yes", "--json").out)["removed"][0]["kind"] == "forgotten"
    assert (folder / "model.safetensors").exists()
