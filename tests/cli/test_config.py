"""Settings are shown with their source, and changed without losing a comment."""

from tests.cli.running import Cli


def test_show_says_where_each_value_comes_from(cli: Cli) -> None:
    out = cli("config", "show", "hub", "--source").out
    assert "environment HF_ENDPOINT" in out
    lines = cli("config", "show", "--changed", "--json").document["settings"]
    assert all(line["source"] != "default" for line in lines)
    assert cli("config", "show", "nothing").code == 2


def test_set_get_and_unset(cli: Cli) -> None:
    file = cli.site.home / "config" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("# mine\ndisk:\n  factor: 2.5  # enough\n")
    assert cli("config", "set", "disk.factor", "4", "--dry-run").code == 0
    assert cli("config", "get", "disk.factor").out == "2.5\n"
    assert cli("config", "set", "disk.factor", "4").out == f"disk.factor is 4 in {file}.\n"
    assert cli("config", "get", "disk.factor", "--json").document == {
        "key": "disk.factor",
        "value": 4.0,
        "source": f"{file}:3",
    }
    assert "# mine" in file.read_text()
    assert "# enough" in file.read_text()
    assert cli("config", "unset", "disk.factor").code == 0
    assert "was not in" in cli("config", "unset", "disk.factor").out


def test_what_breaks_a_rule_is_not_written(cli: Cli) -> None:
    for key, value, says in (
        ("disk.factor", "-1", "disk.factor"),
        ("disk.factr", "3", "Did you mean `disk.factor`?"),
        ("pool.preset", "huge", "low-memory"),
    ):
        done = cli("config", "set", key, value)
        assert done.code == 2
        assert says in done.err
    assert not (cli.site.home / "config" / "config.yaml").exists()


def test_broken_yaml_is_told_with_line_and_column(cli: Cli) -> None:
    """Every command reads the settings, so every command must be able to say what is wrong with them."""
    file = cli.site.home / "config" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("disk:\n  factor: [1\n")
    for words in (["list"], ["config", "show"], ["plan", "org/tiny"]):
        done = cli(*words)
        assert done.code == 2
        assert f"{file}" in done.err
        assert "line 3" in done.err
        assert "column" in done.err
    assert cli("config", "path").out == f"{file}\n", "the file can still be found to be mended"


def test_an_unknown_key_is_a_warning_with_the_nearest(cli: Cli) -> None:
    file = cli.site.home / "config" / "config.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("disk:\n  factr: 3\n")
    done = cli("list")
    assert done.code == 0
    assert "warning: " in done.err
    assert "factor" in done.err
    assert "warning" in cli("list", "--json").reports[0]


def test_the_example_is_written_once(cli: Cli) -> None:
    file = cli.site.home / "config" / "config.yaml"
    assert cli("config", "init", "--dry-run").code == 0
    assert not file.exists()
    assert cli("config", "init").code == 0
    assert cli("config", "show").code == 0
    assert cli("config", "init").code == 6
    assert cli("config", "init", "--workspace").code == 0
    assert (cli.site.folder / ".paddock" / "config.yaml").exists()
