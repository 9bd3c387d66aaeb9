"""Rules are rows: added, changed, carried, all or none; whoever changes them, the others notice."""

from pathlib import Path

import msgspec
import pytest

from paddock.config.schema import Config
from paddock.db.engine import Database
from paddock.errors import InvalidFile, NotFound, UsageError
from paddock.gateway.provider_book import ProviderBook
from paddock.gateway.rule_book import RuleBook, read_rules
from paddock.gateway.rules import Match, Rule, RuleTarget
from paddock.providers.definition import Kind, ProviderDefinition
from paddock.security.data_keys import DataKeys
from paddock.security.master import master_store
from paddock.security.vault import Vault
from tests.library.rooms import Clock
from tests.providers.asking import settings

from .building import rule

FAR = Rule(
    name="far",
    match=Match.REGEX,
    pattern="(.*)-far",
    targets=(
        RuleTarget(provider="cloud", model="{1}", options={"seed": 7, "nested": [1, None]}),
        RuleTarget(model="pony"),
    ),
    priority=3,
    enabled=False,
    description="ü",
)


async def test_a_rule_comes_back_as_it_was_written(rules: RuleBook) -> None:
    await rules.add(FAR)
    assert await rules.get("far") == FAR
    assert await rules.list() == (FAR,)
    assert await rules.remove("far") == FAR
    with pytest.raises(NotFound):
        await rules.get("far")


async def test_names_are_taken_once_and_only_rules_that_are_there_change(rules: RuleBook) -> None:
    await rules.add(FAR)
    with pytest.raises(UsageError, match="already"):
        await rules.add(FAR)
    with pytest.raises(NotFound):
        await rules.change(rule("other", "exact", "x"))
    changed = rule("far", "prefix", "y")
    assert await rules.change(changed) == changed
    with pytest.raises(UsageError):
        await rules.change(rule("far", "regex", "("))
    assert await rules.get("far") == changed


async def test_another_process_s_change_is_noticed_within_a_second(database: Database, clock: Clock) -> None:
    mine = RuleBook(database, now=clock.now, clock=clock)
    theirs = RuleBook(database, now=clock.now, clock=clock)
    assert (await mine.rules()).rules == ()
    await theirs.add(FAR)
    clock.seconds += 1.1
    assert (await mine.rules()).rules == (FAR,)
    clock.seconds += 1.1
    same = await mine.rules()
    clock.seconds += 1.1
    assert await mine.rules() is same, "what did not change is not read again"


async def test_an_export_is_taken_over_all_or_none(rules: RuleBook) -> None:
    await rules.add(FAR)
    await rules.add(rule("b", "exact", "b"))
    text = msgspec.json.encode(await rules.export())
    await rules.remove("far")
    await rules.add(rule("c", "exact", "c"))
    done = await rules.load(read_rules(text), replace_all=True, dry_run=True)
    assert (done.added, done.changed, done.removed) == (("far",), (), ("c",))
    assert {one.name for one in await rules.list()} == {"b", "c"}
    await rules.load(read_rules(text), replace_all=True)
    assert {one.name for one in await rules.list()} == {"far", "b"}
    with pytest.raises(UsageError):
        await rules.load([rule("d", "exact", "d"), rule("e", "regex", "(")])
    with pytest.raises(UsageError, match="two rules"):
        await rules.load([rule("d", "exact", "d"), rule("d", "exact", "e")])
    assert {one.name for one in await rules.list()} == {"far", "b"}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"paddock_rules": 2, "rules": []}', '{"paddock_rules": 1, "rules": [{}]}']
)
def test_what_is_no_export_is_refused(text: str) -> None:
    with pytest.raises(InvalidFile):
        read_rules(text)


def providers(database: Database, clock: Clock, tmp_path: Path, config: Config) -> ProviderBook:
    keys = DataKeys(
        database=database,
        store=lambda: master_store("file", tmp_path / "master"),
        lock=tmp_path / "vault.lock",
        now=clock.now,
    )
    return ProviderBook(database, vault=Vault(keys), config=lambda: config, now=clock.now, clock=clock)


async def test_a_provider_comes_back_as_it_was_written(database: Database, clock: Clock, tmp_path: Path) -> None:
    book = providers(database, clock, tmp_path, settings())
    far = ProviderDefinition(
        name="far",
        kind=Kind.ANTHROPIC,
        base_url="https://far.example",
        options={"a": [1, {"b": None}]},
        headers={"x-team": "a"},
        timeout_s=7.5,
        automatic=True,
    )
    await book.add(far)
    assert await book.get("far") == far
    with pytest.raises(UsageError, match="already"):
        await book.add(far)
    await book.remove("far")
    with pytest.raises(NotFound):
        await book.get("far")


async def test_a_row_stands_in_the_place_of_the_settings_one(database: Database, clock: Clock, tmp_path: Path) -> None:
    config = settings({"providers.ollama.host": "http://127.0.0.1:11434", "providers.ollama.options.num_ctx": 8192})
    book = providers(database, clock, tmp_path, config)
    found = await book.get("ollama")
    assert (found.kind, found.options, found.from_settings) == (Kind.OLLAMA, {"num_ctx": 8192}, True)
    with pytest.raises(UsageError, match="stands in the settings"):
        await book.remove("ollama")
    await book.put(ProviderDefinition(name="ollama", kind=Kind.OLLAMA, base_url="http://other:1"))
    assert (await book.get("ollama")).base_url == "http://other:1"


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"name": "local"}, "name"),
        ({"name": "A b"}, "name"),
        ({"base_url": "ftp://x"}, "base_url"),
        ({"base_url": "http://u:p@x"}, "base_url"),
        ({"base_url": "http://[x"}, "base_url"),
        ({"options": {"messages": []}}, "options"),
        ({"headers": {"Authorization": "Bearer x"}}, "headers"),
        ({"headers": {"host": "x"}}, "headers"),
        ({"headers": {"x-a": "b\r\nc: d"}}, "headers"),
        ({"timeout_s": 0.0}, "timeout_s"),
    ],
)
async def test_a_wrong_provider_is_refused_by_its_field(
    tmp_path: Path, clock: Clock, wrong: dict[str, object], param: str
) -> None:
    async with await Database.open(tmp_path / "x.db") as database:
        book = providers(database, clock, tmp_path, settings())
        with pytest.raises(UsageError) as caught:
            await book.put(ProviderDefinition(**{"name": "far", "kind": Kind.OPENAI, **wrong}))  # type: ignore[arg-type]
    assert caught.value.param == param
