"""What is here: listed, shown, compared, named, kept, checked, removed."""

from pathlib import Path

import pytest

from paddock.app import BUILTIN_MODELS
from tests.cli.running import Cli
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models


@pytest.fixture
def pulled(cli: Cli) -> Cli:
    assert cli("pull", "org/tiny").code == 0
    return cli


def weights_of(cli: Cli) -> Path:
    return next(cli.site.hub_cache.glob("models--org--tiny/snapshots/*/model.safetensors")).resolve()


def test_the_list_on_an_ordinary_terminal(pulled: Cli) -> None:
    pulled.columns = 80
    lines = pulled("list").out.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert lines[0].split()[0] == "NAME"
    assert "SIZE" in lines[0]
    assert lines[1].split()[0] == "org/tiny"


def test_built_in_models_are_marked_and_their_worth_is_told(cli: Cli) -> None:
    """Somebody who sees four models and asks `pony` about history must have been warned."""
    cli.site.builtin_models = BUILTIN_MODELS
    done = cli("list")
    assert done.out.count("built in") == 4
    assert "for trying it" in done.err
    assert cli("list", "--json").err == ""
    assert "for trying" in cli("show", "pony").out


def test_models_of_other_tools_are_marked(cli: Cli) -> None:
    snapshot = cli.site.hub_cache / "models--other--model" / "snapshots" / ("a" * 40)
    snapshot.mkdir(parents=True)
    for path, content in models.mlx().items():
        (snapshot / path).write_bytes(content)
    refs = snapshot.parents[1] / "refs"
    refs.mkdir()
    (refs / "main").write_text("a" * 40)
    out = cli("list").out
    assert "other/model *" in out
    assert "* belongs to another tool" in out
    done = cli("rm", "other/model", "--yes")
    assert done.code == 2
    assert "--adopted" in done.err


def test_show_tells_where_each_fact_comes_from(pulled: Cli) -> None:
    out = pulled("show", "tiny", "--source").out
    assert "Context         32k tokens  (files)" in out
    assert "(default)" in out
    assert "(files)" not in pulled("show", "tiny").out


def test_show_lists_hashes_on_request(pulled: Cli) -> None:
    assert "sha256 " in pulled("show", "tiny", "--files").out
    assert "sha256 " not in pulled("show", "tiny").out


def test_show_asks_the_hub_about_what_is_not_here(cli: Cli) -> None:
    done = cli("show", "org/tiny")
    assert done.code == 0
    assert "not here: fetch it with `paddock pull`" in done.out
    assert cli("show", "org/tiny", "--json").document["model"]["status"] == "not_found"


def test_a_second_name_means_the_same_model(pulled: Cli) -> None:
    assert pulled("cp", "tiny", "mine", "--dry-run").code == 0
    assert pulled("show", "mine").code == 4
    assert pulled("cp", "tiny", "mine").out == "mine now means org/tiny.\n"
    assert pulled("show", "mine", "--json").document["model"]["name"] == "org/tiny"


def test_keep_pins_and_says_how_long(pulled: Cli) -> None:
    assert pulled("keep", "tiny").out == "org/tiny: not pinned, stays in memory as long as `pool.keep_alive` says.\n"
    done = pulled("keep", "tiny", "--pin", "--alive", "90m")
    assert done.out == "org/tiny: pinned, stays in memory 1h30m.\n"
    assert "org/tiny !" in pulled("list").out
    assert pulled("keep", "tiny", "--no-pin", "--alive", "default", "--json").document["keep_alive"] is None
    assert pulled("keep", "tiny", "--alive", "soon").code == 2


def test_a_model_is_removed_once_somebody_agrees(pulled: Cli) -> None:
    done = pulled("rm", "tiny")
    assert done.code == 2
    assert "`--yes`" in done.err
    would = pulled("rm", "tiny", "--dry-run", "--json").document
    assert would["dry_run"]
    assert weights_of(pulled).exists()
    done = pulled("rm", "tiny", "--yes")
    assert (done.code, done.out) == (0, "org/tiny: removed, freed 8.6 kB.\n")
    assert would["freed_bytes"] > 8192
    assert pulled("rm", "tiny", "--yes").code == 4


def test_a_model_in_use_stays(pulled: Cli) -> None:
    pulled.site.users["org/tiny"] = ["a chat"]
    done = pulled("rm", "tiny", "--yes", "--json")
    assert done.code == 6
    assert "a chat" in done.error["message"]
    assert weights_of(pulled).exists()


def test_one_unknown_name_among_several_removes_nothing(pulled: Cli) -> None:
    assert pulled("rm", "tiny", "nothing", "--yes").code == 4
    assert weights_of(pulled).exists()


def test_a_flipped_bit_is_found_and_mended(pulled: Cli) -> None:
    """The size is right, so nothing but reading every byte can tell."""
    weights = weights_of(pulled)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.chmod(0o644)
    weights.write_bytes(content)
    done = pulled("verify", "tiny")
    assert done.code == 1
    assert "model.safetensors: corrupt" in done.out
    assert "paddock verify --repair org/tiny" in done.out
    assert pulled("verify", "tiny", "--json").document["ok"] is False
    assert pulled("verify", "tiny", "--repair").code == 0
    assert pulled("verify").out == "org/tiny: 5 files ok\n"


def test_models_stand_side_by_side(pulled: Cli, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/larger", models.mlx(kib=64), license="mit")
    done = pulled("compare", "tiny", "org/larger")
    assert done.out.splitlines()[0].split() == ["org/tiny", "org/larger"]
    assert "8.6 kB *" in done.out
    assert pulled("compare", "tiny").code == 2


def test_search_says_what_runs_here_and_what_is_here(pulled: Cli, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny-onnx", models.onnx())
    out = pulled("search", "tiny", "--source", "huggingface").out
    rows = {line.split()[0]: line for line in out.splitlines()[1:]}
    assert rows["org/tiny"].endswith("yes, is here")
    assert rows["org/tiny-onnx"].endswith("no")
    assert pulled("search", "xyzzy", "--source", "huggingface").out == "No model found for 'xyzzy'.\n"
