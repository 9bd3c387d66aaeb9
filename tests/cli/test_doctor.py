"""`doctor` looks at everything, changes nothing, and names a remedy for what it finds."""

import asyncio
import sys
from types import SimpleNamespace
from typing import cast

from paddock.library import checkup
from paddock.runner.mlx.blas import load_blas
from tests.cli.running import Cli


def finding(cli: Cli, check: str, environment: dict[str, str] | None = None) -> dict[str, str]:
    found = cli("doctor", "--json", environment=environment).document["findings"]
    return next(one for one in found if one["check"] == check)


def test_a_healthy_machine_has_no_problem(cli: Cli) -> None:
    done = cli("doctor")
    assert done.code == 0
    for check in ("versions", "settings", "folders", "disk", "device", "library", "stores", "hub"):
        assert f"{check}: " in done.out


def test_every_finding_that_is_not_fine_has_a_remedy(cli: Cli) -> None:
    cli.site.free_bytes = 1000
    found = cli("doctor", "--json", environment={"HF_HUB_OFFLINE": "1"}).document["findings"]
    assert [one for one in found if one["outcome"] != "ok" and not one["remedy"]] == []
    assert {one["check"] for one in found if one["outcome"] == "note"} >= {"disk", "hub"}


def test_settings_that_cannot_be_read_are_a_problem_and_not_the_end(cli: Cli) -> None:
    file = cli.site.home / "config" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("disk: [")
    done = cli("doctor", "--json")
    assert done.code == 1
    assert not done.document["ok"]
    checks = {one["check"]: one["outcome"] for one in done.document["findings"]}
    assert checks["settings"] == "problem"
    assert checks["device"] == "ok"


def test_a_hub_that_does_not_answer_is_no_problem(cli: Cli) -> None:
    """What is here works without it."""
    assert finding(cli, "hub", {"HF_ENDPOINT": "http://127.0.0.1:9"})["outcome"] == "note"


def test_a_folder_that_is_a_file_is_a_problem(cli: Cli) -> None:
    cli.site.home.mkdir(parents=True)
    (cli.site.home / "cache").write_text("")
    assert finding(cli, "folders")["outcome"] == "problem"


def test_downloads_that_are_not_complete_are_mentioned(cli: Cli) -> None:
    cli.break_off("org/big")
    assert "paddock pulls resume" in finding(cli, "downloads")["remedy"]


def test_the_library_that_does_the_products_is_named() -> None:
    """On a Linux CPU it decides between one token a second and thirty."""
    for look in (load_blas, checkup.blas_apart):
        patient = cast("checkup.Patient", SimpleNamespace(blas=look))
        findings = asyncio.run(checkup.blas(patient))
        assert [finding.check for finding in findings] == (["blas"] if sys.platform == "linux" else [])
        for finding in findings:
            assert finding.outcome is checkup.Outcome.OK or (finding.remedy and "BLAS" in finding.remedy)
