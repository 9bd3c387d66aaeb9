"""The disk, and models that travel."""

import json
from pathlib import Path

import pytest

from tests.cli.running import Cli
from tests.library.rooms import Site


@pytest.fixture
def pulled(cli: Cli) -> Cli:
    assert cli("pull", "org/tiny").code == 0
    return cli


@pytest.fixture
def other(cli: Cli, tmp_path: Path) -> Cli:
    """A second machine that sees the same hub."""
    site = cli.site
    return Cli(Site(tmp_path / "other", site.hub, site.builtin_models))


def test_df_counts_by_model_and_framework(pulled: Cli) -> None:
    done = pulled("df")
    assert [line.split() for line in done.out.splitlines()[:2]] == [
        ["MODEL", "FRAMEWORK", "OWN"],
        ["org/tiny", "MLX", "8.6", "kB"],
    ]
    assert "Free on the disk" in done.out
    assert pulled("df", "--json").document["free_bytes"] == pulled.site.free_bytes


def test_prune_shows_before_it_asks_and_asks_before_it_acts(pulled: Cli) -> None:
    assert pulled("prune").out == "There is nothing to clean up.\n"
    pulled.site.clock.advance(31 * 86_400)
    shown = pulled("prune", "--older-than", "30d", "--dry-run").out
    assert "org/tiny" in shown
    assert shown.splitlines()[-1] == "Would free 8.6 kB."
    done = pulled("prune", "--older-than", "30d")
    assert done.code == 2
    assert "org/tiny" in done.err, "what would go is seen before the question"
    assert pulled("prune", "--older-than", "30", "--yes").out == "Freed 8.6 kB.\n"
    assert pulled("list", "--json").document == {"models": []}


def test_prune_never_takes_what_is_pinned(pulled: Cli) -> None:
    pulled("keep", "tiny", "--pin")
    assert "org/tiny stays: pinned" not in pulled("prune", "--keep-below", "1kB", "--yes").out
    assert [one["name"] for one in pulled("list", "--json").document["models"]] == ["org/tiny"]


@pytest.mark.parametrize("words", [["--older-than", "soon"], ["--keep-below", "much"]])
def test_prune_reads_its_limits_strictly(cli: Cli, words: list[str]) -> None:
    """A limit that was misread would delete the wrong models."""
    assert cli("prune", *words, "--yes").code == 2


def test_another_machine_becomes_the_same(pulled: Cli, other: Cli) -> None:
    assert pulled("lock", "--dry-run").code == 0
    assert not (pulled.site.folder / "models.lock").exists()
    assert pulled("lock").code == 0
    other.site.folder.mkdir()
    (other.site.folder / "models.lock").write_bytes((pulled.site.folder / "models.lock").read_bytes())
    assert "org/tiny: missing" in other("sync", "--dry-run").out
    done = other("sync", "--frozen")
    assert done.code == 0
    assert done.out.splitlines()[-1] == "This machine holds what the lock says."
    assert other("sync", "--json").document["same"]


def test_a_carried_folder_needs_no_hub(pulled: Cli, other: Cli) -> None:
    """The case of a machine that never sees a network."""
    carried = str(pulled.site.folder / "carried")
    assert pulled("export", carried, "--dry-run").code == 0
    assert not Path(carried).exists()
    assert pulled("export", carried).code == 0
    other.site.folder.mkdir()
    offline = {"HF_HUB_OFFLINE": "1"}
    synced = other("sync", "--file", f"{carried}/models.lock", "--from", carried, "--frozen", environment=offline)
    assert (synced.code, synced.out.splitlines()[0]) == (0, "org/tiny: copied from the folder")
    other("rm", "tiny", "--yes")
    assert other("import", carried, environment=offline).out == "org/tiny is here.\n"
    assert other("verify", "tiny").code == 0


def test_a_lock_that_is_none_is_told_with_its_place(cli: Cli) -> None:
    (cli.site.folder / "models.lock").write_text("version = 99\n")
    done = cli("sync")
    assert done.code == 2
    assert "models.lock" in done.err


def test_short_names_travel(cli: Cli, other: Cli) -> None:
    assert cli("registry", "add", "t", "org/tiny", "--description", "Small").code == 0
    assert "org/tiny" in cli("registry").out
    assert cli("pull", "t").code == 0
    file = str(cli.site.folder / "names.json")
    assert cli("export", file, "--registry", "--dry-run").code == 0
    assert cli("export", file, "--registry").code == 0
    assert json.loads(Path(file).read_text())["models"][0]["name"] == "t"
    other.site.folder.mkdir()
    other("registry", "add", "t", "org/other")
    assert other("import", file).out == "model t was taken: stays as it is.\n"
    assert "comes in as t-2" in other("import", file, "--taken", "rename").out
    assert cli("registry", "rm", "t").code == 0
    assert cli("registry", "rm", "t").code == 4
    assert cli("registry", "add", "bad", "no//name").code == 2
    assert cli("export", file, "org/tiny", "--registry").code == 2


def test_bundles_are_made_and_listed(pulled: Cli) -> None:
    folder = next(pulled.site.hub_cache.glob("models--org--tiny/snapshots/*"))
    model = pulled.site.folder / "mine"
    model.mkdir()
    for path in folder.iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    assert pulled("bundle", "make", "shipped", "mine", "--name", "acme").out.endswith("is the bundle acme.\n")
    assert (pulled.site.folder / "shipped" / "bundle.toml").exists()
    assert "pony" in pulled("bundle").out
