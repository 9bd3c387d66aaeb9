"""A registry travels as a file: read back as written, checked whole, conflicts settled by one rule."""

import json
from pathlib import Path
from typing import Any

import pytest

from paddock.errors import InvalidFile, StorageError
from paddock.library.carry.registry import (
    Conflict,
    Registry,
    RegistryAlias,
    RegistryModel,
    RegistryTemplate,
    format_registry,
    plan_import,
    read_registry,
    write_registry,
)

CODER = RegistryModel(
    name="coder", reference="bartowski/Coder-GGUF:Q4_K_M", sha256="a" * 64, options={"temperature": 0.2}
)
SMALL = RegistryModel(name="small", reference="ollama://llama3.2:1b", description="for laptops")
FAST = RegistryAlias(alias="fast", target="small")
SUMMARY = RegistryTemplate(name="summary", text="Summarise {{ text }}", defaults={"words": 50})
ALL = Registry(models=(SMALL, CODER), aliases=(FAST,), templates=(SUMMARY,))


def test_what_is_written_is_read_back_and_always_looks_the_same(tmp_path: Path):
    """Teams keep the file under version control."""
    write_registry(ALL, tmp_path / "registry.json")
    again = read_registry(tmp_path / "registry.json")
    assert again == ALL.model_copy(update={"models": (CODER, SMALL)})
    assert format_registry(again) == (tmp_path / "registry.json").read_text()


def entry(**changes: Any) -> str:
    model = {"name": "coder", "reference": "org/name"} | changes
    return json.dumps({"version": 1, "models": [model]})


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "EOF"),
        ("[]", "object"),
        ('{"version": 2}', "`version`"),
        ('{"version": 1, "modles": []}', "`modles`"),
        (entry(name="../evil"), r"`models\[0\].name`"),
        (entry(reference="not a reference"), r"`models\[0\].reference`: `not a reference`"),
        (entry(reference="file:///../etc"), "not an absolute path"),
        (entry(sha256="xyz"), r"`models\[0\].sha256`"),
        (entry(options={str(number): 1 for number in range(200)}), r"`models\[0\].options`"),
        (entry(surprise=1), r"`models\[0\].surprise`"),
        (json.dumps({"templates": [{"name": "t", "text": "{{ a.__class__ }}"}]}), r"`templates\[0\].text`.*out of reach"),
        (json.dumps({"models": [{"name": "a", "reference": "o/n"}], "aliases": [{"alias": "a", "target": "b"}]}), "twice"),
        ("[" * 100_000, "recursion limit"),
        ('{"version": 1, "models": ' + "9" * 100_000 + "}", "out of range"),
        (" " * (17 * 1024 * 1024), "larger than"),
    ],
)  # fmt: skip
def test_a_broken_or_hostile_registry_is_refused_with_the_entry_that_is_wrong(
    text: str, complaint: str, tmp_path: Path
):
    path = tmp_path / "registry.json"
    path.write_text(text)
    with pytest.raises(InvalidFile, match=complaint) as caught:
        read_registry(path)
    assert len(caught.value.message) < 800


def test_a_registry_that_is_not_there_is_named(tmp_path: Path):
    with pytest.raises(StorageError, match=r"none\.json"):
        read_registry(tmp_path / "none.json")


def test_new_entries_are_written_and_those_that_are_the_same_are_not():
    plan = plan_import(ALL, Registry(models=(CODER,)), Conflict.SKIP)
    assert plan.write == Registry(models=(SMALL,), aliases=(FAST,), templates=(SUMMARY,))
    assert (plan.conflicts, plan.unchanged) == ((), 1)


@pytest.mark.parametrize(
    ("conflict", "written", "new_name"),
    [(Conflict.SKIP, [], None), (Conflict.REPLACE, ["small"], None), (Conflict.RENAME, ["small-3"], "small-3")],
)
def test_a_name_that_is_taken_is_settled_by_the_rule_and_reported(
    conflict: Conflict, written: list[str], new_name: str | None
):
    """Nobody's own models are overwritten unasked, and nobody wonders where an entry went."""
    theirs = SMALL.model_copy(update={"reference": "org/other"})
    here = Registry(models=(theirs, SMALL.model_copy(update={"name": "small-2"})))
    plan = plan_import(Registry(models=(SMALL,), aliases=(FAST,)), here, conflict)
    assert [model.name for model in plan.write.models] == written
    assert [(settled.name, settled.outcome, settled.new_name) for settled in plan.conflicts] == [
        ("small", conflict, new_name)
    ]
    target = new_name or "small"
    assert plan.write.aliases == (RegistryAlias(alias="fast", target=target),), "an alias follows its renamed model"


def test_a_model_is_never_replaced_by_an_alias_of_the_same_name():
    """They share one space of names, and the alias would hide the model."""
    here = Registry(models=(RegistryModel(name="fast", reference="org/fast"),))
    plan = plan_import(Registry(aliases=(FAST,)), here, Conflict.REPLACE)
    assert plan.write.aliases == ()
    assert [settled.outcome for settled in plan.conflicts] == [Conflict.SKIP]
