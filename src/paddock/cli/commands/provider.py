"""`paddock provider`: who else answers, beside the models of this machine."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Annotated, Any

from cyclopts import Parameter

from paddock.app import open_routing
from paddock.cli.application import noun
from paddock.cli.commands.route import parsed_options
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags, Flags
from paddock.cli.screen import Screen
from paddock.cli.secret_words import secret_word
from paddock.cli.tables import Cell, Column, show_table
from paddock.config.units import parse_duration
from paddock.errors import UsageError
from paddock.gateway.documents import ProviderLine, ProviderList, ProviderTest, line_of, listed_providers
from paddock.gateway.provider_book import ProviderBook
from paddock.providers.definition import Kind, ProviderDefinition, check_definition, kind_of
from paddock.units import human_duration

_NO_FLAGS = Flags()
_NO_CHANGE = ChangingFlags()

Name = Annotated[str, Parameter(help="The provider's name.")]
KindOf = Annotated[Kind | None, Parameter(help="What it speaks; a name like `ollama` says it, others speak `openai`.")]
Url = Annotated[
    str | None, Parameter(help="Where it answers, like `http://gpu.local:8000/v1`; its usual address if left out.")
]
Option = Annotated[
    tuple[str, ...] | None,
    Parameter(name="--option", help="`NAME=VALUE`, sent with every request as it stands; what reads as JSON is JSON."),
]
Header = Annotated[tuple[str, ...] | None, Parameter(name="--header", help="`NAME=VALUE`, sent with every request.")]
Organization = Annotated[str | None, Parameter(help="OpenAI's organisation that pays.")]
Silence = Annotated[str | None, Parameter(name="--timeout", help="How long it may be silent, like `2m`.")]
Automatic = Annotated[
    bool | None,
    Parameter(negative="--not-automatic", help="Whether `auto` may choose its models, and send it what people ask."),
]
KeyFlag = Annotated[bool, Parameter(help="Ask for its key, and keep it in the vault; or read it from stdin.")]

provider = noun("provider", "List, add and try others that answer.")


@provider.default
@provider.command(name="list")
async def list_providers(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """List, add and try others that answer.

    OpenAI, Anthropic, Ollama, your own servers. What they list is asked for by its name, by `PROVIDER/MODEL`, or by a rule
    (`paddock route`).
    """
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        document = await listed_providers(rooms.definitions)
    desk.answer(document, lambda screen: _show(screen, document.providers))


@provider.command
async def add(
    name: Name,
    /,
    *,
    kind: KindOf = None,
    url: Url = None,
    option: Option = None,
    header: Header = None,
    organization: Organization = None,
    silence: Silence = None,
    automatic: Automatic = None,
    key: KeyFlag = False,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Add a provider."""
    definition = ProviderDefinition(
        name=name,
        kind=kind or kind_of(name),
        base_url=url or "",
        options=parsed_options(option or ()),
        headers=_headers(header or ()),
        organization=organization or "",
        timeout_s=_seconds(silence),
        automatic=bool(automatic),
    )
    check_definition(definition)
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        if not flags.dry_run:
            await rooms.definitions.add(definition)
        line = await _keep(desk, rooms.definitions, definition, key=key and not flags.dry_run)
    desk.answer(
        line, lambda screen: screen.line(f"{name} is added: {line.base_url}. Try it: paddock provider test {name}")
    )


@provider.command
async def edit(
    name: Name,
    /,
    *,
    kind: KindOf = None,
    url: Url = None,
    option: Option = None,
    header: Header = None,
    organization: Organization = None,
    silence: Silence = None,
    automatic: Automatic = None,
    on: Annotated[bool | None, Parameter(negative="--off", help="Ask it, or keep it without asking it.")] = None,
    key: KeyFlag = False,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Change a provider; what is not given stays. One that stands in the settings is kept here from then on."""
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        before = await rooms.definitions.get(name)
        given: dict[str, Any] = {
            "kind": kind,
            "base_url": url,
            "options": parsed_options(option) if option else None,
            "headers": _headers(header) if header else None,
            "organization": organization,
            "timeout_s": _seconds(silence),
            "automatic": automatic,
            "enabled": on,
        }
        definition = with_changes(before, given)
        check_definition(definition)
        if not flags.dry_run and definition != before:
            await rooms.definitions.put(definition)
        line = await _keep(desk, rooms.definitions, definition, key=key and not flags.dry_run)
    desk.answer(line, lambda screen: screen.line(f"{name} {'would be' if flags.dry_run else 'is'} changed."))


@provider.command(name="key")
async def keep_key(
    name: Name,
    /,
    *,
    forget: Annotated[bool, Parameter(help="Take it out of the vault instead.")] = False,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Keep a provider's key in the vault. It is asked for, or read from stdin; it is never shown again."""
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        definition = await rooms.definitions.get(name)
        if forget and not flags.dry_run:
            await rooms.definitions.forget_key(name)
        line = await _keep(desk, rooms.definitions, definition, key=not forget and not flags.dry_run)
    desk.answer(line, lambda screen: screen.line(f"The key of {name} is {'forgotten' if forget else 'kept'}."))


@provider.command(name="test")
async def try_out(name: Name, /, *, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Ask a provider for its models, to see that address and key are right."""
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        await rooms.definitions.get(name)
        models = await rooms.providers.tried(name)
    names = tuple(model.name for model in models)

    def show(screen: Screen) -> None:
        screen.line(f"{name} answers, and has {len(names)} models.")
        for each in names:
            screen.line(f"  {each}")

    desk.answer(ProviderTest(name=name, models=names), show)


@provider.command(name="rm", alias=("remove", "delete"))
async def remove(name: Name, /, *, flags: ChangingFlags = _NO_CHANGE, desk: Given[Desk]) -> None:
    """Remove a provider and its key."""
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        line = await line_of(await rooms.definitions.get(name), rooms.definitions)
        if not flags.dry_run:
            await rooms.definitions.remove(name)
    desk.answer(line, lambda screen: screen.line(f"{name} {'would be' if flags.dry_run else 'is'} removed."))


def with_changes(definition: ProviderDefinition, given: dict[str, Any]) -> ProviderDefinition:
    """`definition` with those of `given` that are not None; a changed one stands in the database."""
    from dataclasses import replace

    changes = {name: value for name, value in given.items() if value is not None}
    return replace(definition, **changes, from_settings=False) if changes else definition


async def _keep(desk: Desk, book: ProviderBook, definition: ProviderDefinition, *, key: bool) -> ProviderLine:
    if key:
        await book.keep_key(definition.name, await secret_word(desk, f"The key of {definition.name}"))
    return await line_of(definition, book)


def _headers(pairs: Sequence[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UsageError(f"`{pair}` is no header.", hint="Write it like `x-team=research`.")
        headers[name] = value
    return headers


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return min(parse_duration(text), timedelta(days=1)).total_seconds()
    except ValueError as error:
        raise UsageError(f"`{text}` is no time.", hint="Write it like `2m`.", param="timeout") from error


def _show(screen: Screen, providers: Sequence[ProviderLine]) -> None:
    if not providers:
        screen.line("None but this machine. Add one with: paddock provider add openai --key")
        return
    rows: list[Sequence[Cell]] = [
        (
            each.name,
            each.kind.value,
            each.base_url,
            "kept" if each.has_key else "none",
            human_duration(each.timeout_s),
            "off" if not each.enabled else "auto" if each.automatic else "by name",
        )
        for each in providers
    ]
    columns = (
        Column(title="name"),
        Column(title="speaks"),
        Column(title="at", wrap=True),
        Column(title="key"),
        Column(title="silent at most", rank=2),
        Column(title="asked", rank=1),
    )
    show_table(screen, columns, rows)


__all__ = ["ProviderLine", "ProviderList", "ProviderTest", "provider"]
