"""Names worth knowing and prompts worth keeping: kept, found, refused with a reason, and carried to others."""

from pathlib import Path

import pytest

from paddock.errors import InvalidFile, InvalidTemplate, NotFound, UsageError
from paddock.hub.reference import parse_reference
from paddock.library.carry.registry import Conflict
from paddock.library.handbook import RegistryEntry, packaged_entries
from paddock.library.library import Library
from tests.fakes.huggingface import HuggingFaceHub
from tests.library import models
from tests.library.rooms import Site, no_bundle

SHA256 = "a" * 64
ADDRESS = "https://example.org/tiny.gguf"


def entry(name: str = "mine", reference: str = "org/tiny", **more: object) -> RegistryEntry:
    return RegistryEntry(name=name, reference=reference, **more)  # pyright: ignore[reportArgumentType]


# The registry


def test_the_package_knows_models_that_can_be_asked_for() -> None:
    entries = packaged_entries()
    assert len(entries) >= 10
    assert len({one.name for one in entries}) == len(entries)
    for one in entries:
        assert parse_reference(one.reference).source is not None, one.name
        assert parse_reference(one.name).source is None, f"`{one.name}` must be a bare name to be looked up"
        assert not one.own
        assert one.description


async def test_an_entry_is_kept_and_found_whatever_its_case(library: Library, site: Site) -> None:
    await library.handbook.add(entry("Mine", "ollama://tiny:latest", description="for tests", options={"top_p": 0.5}))
    assert await library.handbook.lookup("mine") == "ollama://tiny:latest"
    assert await library.handbook.lookup("nosuch") is None
    async with site.open() as later:
        (kept,) = [one for one in await later.handbook.registry() if one.own]
    assert (kept.name, kept.description, kept.options) == ("Mine", "for tests", {"top_p": 0.5})


async def test_an_address_is_looked_up_with_its_checksum(library: Library) -> None:
    await library.handbook.add(entry(reference=ADDRESS, sha256=SHA256))
    assert await library.handbook.lookup("mine") == f"{ADDRESS}#sha256={SHA256}"


async def test_an_entry_of_ones_own_hides_the_packaged_one_until_it_is_forgotten(library: Library) -> None:
    packaged = packaged_entries()[0]
    await library.handbook.add(entry(packaged.name, "org/other"))
    assert await library.handbook.lookup(packaged.name) == "org/other"
    await library.handbook.forget(packaged.name)
    assert await library.handbook.lookup(packaged.name) == packaged.reference
    with pytest.raises(NotFound, match="of yours"):
        await library.handbook.forget(packaged.name)


async def test_forgetting_what_is_not_there_names_what_is_near(library: Library) -> None:
    await library.handbook.add(entry("coder"))
    with pytest.raises(NotFound) as missing:
        await library.handbook.forget("codr")
    assert "`coder`" in missing.value.hint


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (entry("no name"), "name"),
        (entry("../up"), "name"),
        (entry("x" * 300), "name"),
        (entry(reference="not a reference"), "not a reference"),
        (entry(reference="file:///../etc"), "absolute path"),
        (entry(reference="pony"), "names no source"),
        (entry(reference=ADDRESS, sha256="123"), "sha256"),
        (entry(sha256=SHA256), "nothing would check"),
        (entry(options={"x" * 200: 1}), "options"),
    ],
)
async def test_what_is_no_entry_is_refused_with_the_field(
    library: Library, wrong: RegistryEntry, complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        await library.handbook.add(wrong)
    assert not [one for one in await library.handbook.registry() if one.own]


async def test_a_bare_reference_can_never_chase_itself(library: Library) -> None:
    """`a` that means `a`: refused when it is added, so that no look-up goes round in circles."""
    with pytest.raises(UsageError):
        await library.handbook.add(entry("loop", "loop"))


# Templates


async def test_a_template_is_saved_rendered_changed_and_deleted(library: Library, site: Site) -> None:
    handbook = library.handbook
    saved = await handbook.save_template(
        "summary", "Summarise {{ text }} in {{ words }} words.", description="short", defaults={"words": 50}
    )
    assert saved.variables == ("text", "words")
    assert await handbook.render_template("summary", {"text": "this"}) == "Summarise this in 50 words."
    assert await handbook.render_template("summary", {"text": "this", "words": 5}) == "Summarise this in 5 words."
    await handbook.save_template("summary", "Say {{ text }}.")
    async with site.open() as later:
        assert await later.handbook.render_template("summary", {"text": "it"}) == "Say it."
        assert [template.name for template in await later.handbook.templates()] == ["summary"]
    await handbook.delete_template("summary")
    assert list(await handbook.templates()) == []


async def test_a_template_that_makes_no_sense_is_refused_when_it_is_saved(library: Library) -> None:
    with pytest.raises(InvalidTemplate, match="line 2"):
        await library.handbook.save_template("broken", "first\n{{ text ")
    with pytest.raises(InvalidTemplate):
        await library.handbook.save_template("code", "{{ ''.__class__.__mro__ }}")
    with pytest.raises(UsageError, match="name"):
        await library.handbook.save_template("a b", "text")
    assert list(await library.handbook.templates()) == []


async def test_rendering_says_what_is_missing_and_what_is_too_much(library: Library) -> None:
    await library.handbook.save_template("greet", "Hello {{ name }}")
    with pytest.raises(InvalidTemplate, match="`name` must be given"):
        await library.handbook.render_template("greet", {})
    with pytest.raises(InvalidTemplate, match="no variable `nam`"):
        await library.handbook.render_template("greet", {"name": "x", "nam": "y"})


@pytest.mark.parametrize("use", ["template", "delete_template"])
async def test_a_template_that_is_not_there_is_told_with_near_names(library: Library, use: str) -> None:
    await library.handbook.save_template("summary", "text")
    with pytest.raises(NotFound) as missing:
        await getattr(library.handbook, use)("sumary")
    assert "`summary`" in missing.value.hint


# To a file and back


async def filled(library: Library, hub: HuggingFaceHub) -> None:
    hub.add_repo("org/tiny", models.mlx())
    await library.pull("org/tiny")
    await library.copy("org/tiny", "little")
    await library.handbook.add(entry("mine", ADDRESS, sha256=SHA256, options={"temperature": 0.2}))
    await library.handbook.save_template("greet", "Hello {{ name }}", defaults={"name": "you"})


async def test_everything_of_ones_own_goes_to_a_file_and_comes_back(
    hub: HuggingFaceHub, library: Library, tmp_path: Path
) -> None:
    await filled(library, hub)
    await library.handbook.export(tmp_path / "registry.json")
    other = Site(tmp_path / "other", hub, no_bundle(tmp_path / "other" / "builtin"))
    async with other.open() as there:
        preview = await there.handbook.import_from(tmp_path / "registry.json", Conflict.SKIP, dry_run=True)
        assert len(preview.write.models) == 1
        assert not [one for one in await there.handbook.registry() if one.own]
        done = await there.handbook.import_from(tmp_path / "registry.json", Conflict.SKIP)
        assert done.conflicts == ()
        await there.handbook.export(tmp_path / "again.json")
        assert await there.handbook.render_template("greet", {}) == "Hello you"
        await there.pull("org/tiny")
        assert (await there.get("little")).name == "org/tiny"
        again = await there.handbook.import_from(tmp_path / "registry.json", Conflict.REPLACE)
        assert (again.unchanged, again.conflicts) == (3, ())
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "registry.json").read_bytes()


@pytest.mark.parametrize(
    ("conflict", "mine", "renamed"),
    [
        (Conflict.SKIP, "org/here", None),
        (Conflict.REPLACE, f"{ADDRESS}#sha256={SHA256}", None),
        (Conflict.RENAME, "org/here", f"{ADDRESS}#sha256={SHA256}"),
    ],
)
async def test_names_that_are_taken_are_settled_as_asked(
    hub: HuggingFaceHub, library: Library, tmp_path: Path, conflict: Conflict, mine: str, renamed: str | None
) -> None:
    await filled(library, hub)
    await library.handbook.export(tmp_path / "registry.json")
    other = Site(tmp_path / "other", hub, no_bundle(tmp_path / "other" / "builtin"))
    async with other.open() as there:
        await there.handbook.add(entry("mine", "org/here"))
        done = await there.handbook.import_from(tmp_path / "registry.json", conflict)
        assert [(settled.kind, settled.name) for settled in done.conflicts] == [("model", "mine")]
        assert await there.handbook.lookup("mine") == mine
        assert await there.handbook.lookup("mine-2") == renamed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"version": 9}',
        '{"models": [{"name": "a b", "reference": "org/x"}]}',
        '{"templates": [{"name": "a"}]}',
    ],
)
async def test_a_file_that_is_no_registry_changes_nothing(library: Library, tmp_path: Path, text: str) -> None:
    (tmp_path / "registry.json").write_text(text)
    with pytest.raises(InvalidFile, match=r"registry\.json"):
        await library.handbook.import_from(tmp_path / "registry.json", Conflict.REPLACE)
    assert not [one for one in await library.handbook.registry() if one.own]
