"""Words that cannot be understood are answered with what was probably meant."""

import pytest

from tests.cli.running import Cli


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["pul"], "There is no command `paddock pul`.", "Did you mean `pull` or `pulls`?"),
        (["xyzzy"], "There is no command `paddock xyzzy`.", "See `paddock --help`."),
        (["config", "sho"], "There is no command `paddock config sho`.", "Did you mean `show`?"),
        (["pull", "x", "--forse"], "`paddock pull` has no option `--forse`.", "Did you mean `--force`?"),
        (["list", "--qqqqqqqq"], "`paddock list` has no option `--qqqqqqqq`.", "See `paddock list --help`."),
        (["pull"], "`paddock pull` needs REFERENCE.", "See `paddock pull --help`."),
        (["pull", "a", "b"], "`paddock pull` does not know what to do with `b`.", "See `paddock pull --help`."),
        (["list", "x"], "`paddock list` does not know what to do with `x`.", "See `paddock list --help`."),
    ],
)
def test_a_wrong_word_names_the_near_one(cli: Cli, words: list[str], message: str, hint: str) -> None:
    done = cli(*words)
    assert (done.code, done.out) == (2, "")
    assert done.err == f"error: {message}\nhint: {hint}\n"


@pytest.mark.parametrize(
    "words",
    [["search", "x", "--limit", "many"], ["completion", "csh"], ["search", "--source", "github"], ["--nothing"]],
)
def test_a_wrong_value_is_a_usage_error(cli: Cli, words: list[str]) -> None:
    done = cli(*words)
    assert done.code == 2
    assert done.err.startswith("error: ")


def test_errors_are_json_when_json_is_asked_for(cli: Cli) -> None:
    """A program that drives us reads one format, also when it made the mistake."""
    done = cli("pul", "--json")
    assert done.code == 2
    assert done.error == {
        "code": "usage",
        "message": "There is no command `paddock pul`.",
        "hint": "Did you mean `pull` or `pulls`?",
    }


def test_json_after_the_dashes_is_a_word(cli: Cli) -> None:
    assert cli("pul", "--", "--json").err.startswith("error: ")


@pytest.mark.parametrize("alias", ["ls", "list"])
def test_list_has_a_short_name(cli: Cli, alias: str) -> None:
    assert cli(alias, "--json").document == {"models": []}


@pytest.mark.parametrize("alias", ["rm", "remove", "delete"])
def test_rm_has_long_names(cli: Cli, alias: str) -> None:
    assert cli(alias, "nothing").code == 4
