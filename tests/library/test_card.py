"""Model cards: what they say counts, and no stranger's README can hurt whoever lists models."""

import time
from pathlib import Path

import pytest

from paddock.library.card import CARD_BYTES_MAX, Card, parse_card, read_card
from paddock.library.library import Library
from paddock.vocabulary import Confidence, Origin
from tests.library import models
from tests.library.caches import lmstudio_model
from tests.library.rooms import Site


def test_a_card_tells_licence_tags_library_and_pipeline() -> None:
    card = parse_card(
        b"---\nlicense: apache-2.0\nlibrary_name: mlx\npipeline_tag: text-generation\ntags: [mlx, qwen3]\n---\n# Name\n"
    )
    assert card.license == "apache-2.0"
    assert card.hub.tags == ("mlx", "qwen3")
    assert card.hub.library_name == "mlx"
    assert card.hub.pipeline_tag == "text-generation"


def test_the_library_counts_as_a_tag() -> None:
    """The hub adds it to the tags, so the same model says the same on the disk."""
    assert parse_card(b"---\nlibrary_name: mlx\n---\n").hub.tags == ("mlx",)


@pytest.mark.parametrize(
    ("yaml", "license"),
    [
        (b"license: [mit, apache-2.0]", "mit, apache-2.0"),
        (b"license: other\nlicense_name: llama3.2", "llama3.2"),
        (b"license: other", "other"),
        (b"license: 5", None),
        (b"license: ''", None),
        (b"license: {name: mit}", None),
    ],
)
def test_licences_are_told_in_several_ways(yaml: bytes, license: str | None) -> None:  # noqa: A002 (the field's name)
    assert parse_card(b"---\n" + yaml + b"\n---\n").license == license


def test_a_card_written_on_windows_reads_the_same() -> None:
    assert parse_card(b"\xef\xbb\xbf---\r\nlicense: mit\r\n---\r\n").license == "mit"


BOMB = b"a: &a [x,x,x,x,x,x,x,x,x]\n" + b"".join(
    b"%c: &%c [%s]\n" % (name, name, b",".join([b"*%c" % (name - 1)] * 9)) for name in range(ord("b"), ord("k"))
)


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"# No card\n",
        b"---\nlicense: mit\n",  # no end
        b"text\n---\nlicense: mit\n---\n",
        b"---\n---\n",
        b"---\n[1, 2\n---\n",
        b"---\n- license\n---\n",
        b"---\nlicense: \xff\xfe\n---\n",
        b"---\nlicense: \x00\n---\n",
        b"---\nlicense: !!python/name:os.system\n---\n",
        b"---\n" + BOMB + b"license: *j\n---\n",
        b"---\nlicense: &a [*a]\n---\n",
        b"---\n<<: {license: mit}\n---\n",
        b"---\nlicense: " + b"[" * 5000 + b"]" * 5000 + b"\n---\n",
        b"---\ntags: " + b"9" * 20_000 + b"\n---\n",
        b"---\n" + b"x" * (2 * CARD_BYTES_MAX) + b"\nlicense: mit\n---\n",
    ],
)
def test_garbage_says_nothing_and_is_quick(garbage: bytes) -> None:
    """Alias bombs, code, depth and bytes that are no text: the model is listed all the same."""
    began = time.process_time()
    assert parse_card(garbage) == Card()
    assert time.process_time() - began < 2


def test_tags_that_are_no_words_are_left_out() -> None:
    """They are shown in a terminal: no control characters, no lists, no essays."""
    card = parse_card(b'---\ntags: [mlx, 5, [a], "a\\eb", ' + b"x" * 500 + b", gguf]\n---\n")
    assert card.hub.tags == ("mlx", "gguf")


def test_a_card_that_is_not_there_or_a_folder_says_nothing(tmp_path: Path) -> None:
    assert read_card(tmp_path / "README.md") == Card()
    assert read_card(tmp_path) == Card()


def test_only_the_beginning_of_a_long_readme_is_read(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"---\nlicense: mit\n---\n" + b"text " * CARD_BYTES_MAX)
    assert read_card(tmp_path / "README.md").license == "mit"


# Through the library

CARD = b"---\nlicense: apache-2.0\nlibrary_name: mlx\ntags: [mlx]\n---\n# Tiny\n"


async def test_an_adopted_model_shows_its_licence_and_the_makers_word_counts(site: Site) -> None:
    """No hub is asked about other tools' models: their own README says what a pull would have learnt."""
    files = {**models.mlx(), "README.md": CARD}
    lmstudio_model(site.folder / "home" / ".lmstudio" / "models", "pub/tiny", files)
    async with site.open() as library:
        details = await library.show("pub/tiny")
    assert (details.info.origin, details.info.license) == (Origin.ADOPTED, "apache-2.0")
    assert details.compatibility.confidence is Confidence.HIGH


async def test_a_registered_folder_shows_its_licence_and_a_changed_card_is_read_again(
    library: Library, tmp_path: Path
) -> None:
    folder = tmp_path / "Tiny"
    folder.mkdir()
    for path, content in models.mlx().items():
        (folder / path).write_bytes(content)
    await library.pull(f"file://{folder}")
    assert (await library.show("Tiny")).compatibility.confidence is Confidence.LOW
    (folder / "README.md").write_bytes(CARD)
    library.clear_cache()
    details = await library.show("Tiny")
    assert details.info.license == "apache-2.0"
    assert details.compatibility.confidence is Confidence.HIGH


async def test_a_hostile_card_hides_no_model(site: Site) -> None:
    files = {**models.mlx(), "README.md": b"---\n" + BOMB + b"license: *j\n---\n"}
    lmstudio_model(site.folder / "home" / ".lmstudio" / "models", "pub/tiny", files)
    async with site.open() as library:
        (model,) = await library.list()
    assert (model.name, model.license) == ("pub/tiny", None)
