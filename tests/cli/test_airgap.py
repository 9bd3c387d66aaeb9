"""`--airgap` on the command line: told what was kept here, and refused what could not be kept."""

from pathlib import Path

from paddock.airgap.refusals import Refusals
from paddock.errors import Airgapped, InUse
from paddock.library.checkup import Outcome
from tests.cli.running import Cli
from tests.client.serving import RunningServer
from tests.library.rooms import Site
from tests.server.running import finished, running

FAR = {"HF_ENDPOINT": "https://hub.example"}


def test_a_pull_is_refused_with_the_host_and_written_down(cli: Cli) -> None:
    done = cli("pull", "org/tiny", "--airgap", "--json", environment=FAR)
    assert done.code == Airgapped.exit_code == 5
    assert done.error["code"] == "airgapped"
    assert "`hub.example` was not asked" in done.error["message"]
    listed = cli("airgap", "--json").document
    assert not listed["airgap"]
    assert [(one["host"], one["port"], one["who"]) for one in listed["refusals"]] == [("hub.example", 443, "a hub")]
    assert "hub.example:443" in cli("airgap").out


def test_variable_and_setting_say_the_same_as_the_option(cli: Cli) -> None:
    assert (
        cli("airgap", "--json", environment={"PADDOCK_AIRGAP": "1"}).document["source"] == "environment PADDOCK_AIRGAP"
    )
    assert cli("airgap", "--json", "--airgap").document["source"] == "flag --airgap"
    assert cli("config", "set", "airgap", "true").code == 0
    document = cli("airgap", "--json").document
    assert document["airgap"]
    assert document["source"].endswith("config.yaml:1")
    assert "keeps to this machine" in cli("airgap").out


def test_a_hub_on_this_machine_is_still_asked(cli: Cli) -> None:
    assert cli("pull", "org/tiny", "--airgap").code == 0
    assert cli("list", "--json", "--airgap").document["models"][0]["name"] == "org/tiny"
    assert cli("airgap", "--json").document["refusals"] == []


def test_what_was_known_before_still_answers_marked_stale(cli: Cli) -> None:
    """As without a network: the plan of a model that was looked at earlier."""
    assert cli("plan", "org/tiny", "--json").code == 0
    done = cli("plan", "org/tiny", "--json", "--airgap", environment=FAR)
    assert done.code == 0
    assert done.document["stale"]


def test_a_workspace_cannot_open_the_gap(cli: Cli) -> None:
    """A folder from somewhere else would let out what its owner keeps in."""
    assert cli("config", "set", "airgap", "true").code == 0
    file = cli.site.folder / ".paddock" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("airgap: false\n")
    assert cli("airgap", "--json").document["airgap"]


def test_an_address_for_others_is_refused(cli: Cli) -> None:
    done = cli("serve", "--host", "0.0.0.0", "--airgap", "--json", environment={"PADDOCK_ADMIN_KEY": "k" * 32})
    assert done.error["code"] == "airgapped"
    assert "0.0.0.0" in done.error["message"]


def test_a_database_elsewhere_is_refused_before_it_is_asked(cli: Cli) -> None:
    far = {"PADDOCK_DATABASE__URL": "postgresql://me:secret@db.example/paddock"}
    done = cli("list", "--airgap", "--json", environment=far)
    assert done.error["code"] == "airgapped"
    assert "db.example" in done.error["message"]
    assert "secret" not in done.err


def test_doctor_says_whether_it_holds(cli: Cli) -> None:
    done = cli("doctor", "--json", "--airgap", environment=FAR)
    checks = {one["check"]: one for one in done.document["findings"]}
    assert checks["hub"]["outcome"] == Outcome.NOTE
    assert checks["airgap"]["message"].startswith("kept to this machine (flag --airgap)")
    assert "airgap" not in {one["check"] for one in cli("doctor", "--json").document["findings"]}
    assert Refusals(cli.site.home / "state" / "airgap.jsonl").latest() == []  # it asked nobody to find that out


def test_how_many_are_listed_is_bounded(cli: Cli) -> None:
    assert cli("airgap", "--limit", "0").code == 2
    assert cli("airgap", "--limit", "100000").code == 2


def test_a_server_that_reaches_out_is_not_used_by_a_command_that_must_not(site: Site, cli: Cli) -> None:
    """It would reach out in its place."""
    with RunningServer(site):
        done = cli("pull", "org/tiny", "--airgap", "--json")
        assert done.code == InUse.exit_code
        assert "started without `--airgap`" in done.error["message"]
        assert cli("airgap", "--json", "--airgap").document["server"] is False


def test_a_tool_that_cannot_be_held_is_not_started(tmp_path: Path) -> None:
    """It would be a child of ours, and reach whatever it likes."""
    with running(tmp_path, PADDOCK_AIRGAP="1") as server:
        assert server.document["airgap"]
        code, _, err = finished(tmp_path, server.environment, "launch", "claude", "--json")
        assert code == 0, "how it would be started is told"
        code, _, err = finished(tmp_path, server.environment, "launch", "claude")
        assert code == Airgapped.exit_code
        assert "`claude` was not started" in err
