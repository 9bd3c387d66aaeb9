"""`config set` changes one value in a file that belongs to a person: comments, order and mode stay."""

import stat
import subprocess
import sys
from pathlib import Path

import pytest

from paddock.config.edit import set_value, set_values, unset_value, write_example
from paddock.config.example import EXAMPLE
from paddock.config.keys import leaves, root
from paddock.errors import InUse, InvalidConfig, StorageError

from .conftest import Machine

WRITTEN = """\
# mine
options:
  # warm enough
  temperature: 0.7 # not more
  maxTokens: 100

disk: {factor: 2.0} # short
"""


@pytest.fixture
def path(machine: Machine) -> Path:
    machine.user_says(WRITTEN)
    return machine.user_file


def test_setting_a_value_keeps_comments_and_order(machine: Machine, path: Path) -> None:
    set_value(path, "options.temperature", "0.2")
    assert path.read_text() == WRITTEN.replace("0.7", "0.2")
    assert machine.load().options.temperature == 0.2


def test_a_key_keeps_the_spelling_that_the_file_has(path: Path) -> None:
    set_value(path, "options.max_tokens", "200")
    assert path.read_text() == WRITTEN.replace("maxTokens: 100", "maxTokens: 200")


@pytest.mark.parametrize(
    ("key", "text", "read"),
    [
        ("disk.auto_prune", "off", lambda config: config.disk.auto_prune is False),
        (
            "models.qwen2.5-coder:7b.options.temperature",
            "0",
            lambda c: c.models["qwen2.5-coder:7b"].options.temperature == 0,
        ),
        ("models.a/b.keep_alive", "30m", lambda config: config.models["a/b"].keep_alive.total_seconds() == 1800),
        ("model.routing.overrides", "{code: pony}", lambda c: c.model.routing.overrides == {"code": "pony"}),
        ("model.routing.overrides.fast", "foal", lambda c: c.model.routing.overrides["fast"] == "foal"),
        ("providers.ollama.options.numCtx", "8192", lambda c: c.providers["ollama"].options == {"numCtx": 8192}),
        ("model.default", "1.5", lambda config: config.model.default == "1.5"),
        ("pool.memory", "50%", lambda config: str(config.pool.memory) == "50%"),
        ("server.host", "::1", lambda config: config.server.host == "::1"),
        (
            "model.routing.profiles.mine.min_context_window",
            "9000",
            lambda config: config.model.routing.profiles["mine"].min_context_window == 9000,
        ),
        ("model.routing.profiles.mine", "{}", lambda config: "mine" in config.model.routing.profiles),
    ],
)
def test_every_kind_of_value_can_be_set(machine: Machine, path: Path, key: str, text: str, read) -> None:
    set_value(path, key, text)
    config = machine.load()
    assert read(config)
    assert config.warnings == ()


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("options.temperature", "3.5", "must be between 0.0 and 2.0"),
        ("options.temprature", "1", "is not a setting"),
        ("options", "1", "is a section"),
        ("hub.token", "hf_secret", "is a secret"),
        ("model.routing.overrides.quick", "pony", "unknown routing profile"),
        ("models.a b.pin", "true", "is not a valid model name"),
        ("options.temperature", "[1", "line 1"),
        ("models.pony", "3", "is a section"),
    ],
)
def test_a_value_that_breaks_a_rule_changes_nothing(path: Path, key: str, text: str, says: str) -> None:
    with pytest.raises(InvalidConfig) as caught:
        set_value(path, key, text)
    assert says in caught.value.message
    assert "hf_secret" not in caught.value.message
    assert path.read_text() == WRITTEN


def test_another_mistake_in_the_file_does_not_stand_in_the_way(path: Path) -> None:
    """Otherwise two mistakes could never be corrected, for each would wait for the other."""
    path.write_text("options: {temperature: 9, top_p: 9}\n")
    set_value(path, "options.temperature", "1.0")
    set_value(path, "options.top_p", "1.0")
    assert path.read_text() == "options: {temperature: 1.0, top_p: 1.0}\n"


def test_unset_takes_out_the_value_and_the_section_that_it_leaves_empty(path: Path) -> None:
    assert unset_value(path, "disk.factor") is True
    assert "disk" not in path.read_text()
    assert unset_value(path, "disk.factor") is False
    assert unset_value(path, "options.max_tokens") is True
    assert "maxTokens" not in path.read_text()
    assert "# warm enough" in path.read_text()


def test_what_another_setting_names_is_not_taken_out(path: Path) -> None:
    """A file that no longer loads keeps the server from starting the next time."""
    text = "model:\n  routing:\n    profiles:\n      tiny: {min_context_window: 1}\n    default_profile: tiny\n"
    path.write_text(text)
    with pytest.raises(InvalidConfig, match="default_profile is `tiny`"):
        unset_value(path, "model.routing.profiles.tiny")
    assert path.read_text() == text
    set_values(path, {"model.routing.default_profile": "fast"}, without=["model.routing.profiles.tiny"])
    assert "tiny" not in path.read_text()


def test_the_last_value_can_be_unset(path: Path) -> None:
    path.write_text("disk: {factor: 3}\n")
    assert unset_value(path, "disk.factor") is True
    assert path.read_text() == ""


def test_a_file_of_comments_keeps_them(path: Path) -> None:
    path.write_text("# only words\n")
    set_value(path, "disk.factor", "3")
    assert path.read_text() == "# only words\ndisk:\n  factor: 3\n"


@pytest.mark.parametrize("text", ["null\n", "---\n", "", "a: &x 1\nb: &x 2\n"])
def test_an_odd_file_takes_a_value_like_any_other(machine: Machine, path: Path, text: str) -> None:
    path.write_text(text)
    set_value(path, "disk.factor", "3")
    assert machine.load().disk.factor == 3


def test_a_value_that_would_be_lost_is_not(path: Path) -> None:
    path.write_text("providers: {x: {options: {day: 2026-13-45}}}\n")
    with pytest.raises(InvalidConfig, match="cannot be kept"):
        set_value(path, "disk.factor", "3")
    assert path.read_text() == "providers: {x: {options: {day: 2026-13-45}}}\n"


def test_the_mode_stays_and_a_new_file_is_private(path: Path) -> None:
    path.chmod(0o640)
    set_value(path, "disk.factor", "3")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    fresh = path.parent / "new" / "config.yaml"
    set_value(fresh, "disk.factor", "3")
    assert stat.S_IMODE(fresh.stat().st_mode) == 0o600


def test_a_link_is_followed(path: Path, tmp_path: Path) -> None:
    """People keep their settings in a repository of dotfiles."""
    link = tmp_path / "link.yaml"
    link.symlink_to(path)
    set_value(link, "disk.factor", "3")
    assert link.is_symlink()
    assert "factor: 3" in path.read_text()


def test_a_file_that_is_no_yaml_is_left_as_it_is(path: Path) -> None:
    path.write_text("a: [1\n")
    with pytest.raises(InvalidConfig, match="line 2"):
        set_value(path, "disk.factor", "3")
    assert path.read_text() == "a: [1\n"


def test_a_folder_that_takes_no_files_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot be written") as caught:
        set_value(tmp_path / "file" / "config.yaml", "disk.factor", "3")
    assert caught.value.hint


def test_nothing_is_left_beside_the_file(path: Path) -> None:
    set_value(path, "disk.factor", "3")
    with pytest.raises(InvalidConfig):
        set_value(path, "disk.factor", "0")
    assert list(path.parent.iterdir()) == [path]


def test_two_editors_at_once_lose_nothing(path: Path) -> None:
    """Each reads, changes and writes the whole file; without a lock the slower one undoes the faster."""
    program = (
        "import sys; from pathlib import Path; from paddock.config.edit import set_value\n"
        "for n in range(20): set_value(Path(sys.argv[1]), f'models.{sys.argv[2]}{n}.pin', 'true')"
    )
    editors = [subprocess.Popen([sys.executable, "-c", program, str(path), name]) for name in ("a", "b")]
    assert [editor.wait(timeout=60) for editor in editors] == [0, 0]
    assert path.read_text().count("pin: true") == 40


def test_the_example_loads_without_errors_or_warnings(machine: Machine) -> None:
    write_example(machine.user_file)
    config = machine.load()
    assert config.warnings == ()
    assert config.source_of("disk.factor").startswith(str(machine.user_file))
    with pytest.raises(InUse):
        write_example(machine.user_file)
    assert machine.user_file.read_text() == EXAMPLE


def test_the_example_covers_every_section(machine: Machine) -> None:
    """A section that the example leaves out is one that nobody finds."""
    machine.user_says(EXAMPLE)
    config = machine.load()
    named = {key.split(".")[0] for key, source in config.sources.items() if source.startswith(str(machine.user_file))}
    assert named == set(root().children)


def test_the_example_says_what_holds_anyway(machine: Machine) -> None:
    """Written on a machine with defaults it must change nothing but what it adds by name."""
    plain = machine.load()
    machine.user_says(EXAMPLE)
    config = machine.load()
    named = {"models", "providers"}
    for key, leaf in leaves():
        if key[0] not in named and "<name>" not in key and not leaf.secret:
            below_plain, below = plain, config
            for name in key:
                below_plain, below = getattr(below_plain, name), getattr(below, name)
            assert below == below_plain, key
