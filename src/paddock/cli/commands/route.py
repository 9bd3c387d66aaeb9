"""`paddock route`: rules from names of models to who answers, and why a name leads where it does."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import msgspec
from cyclopts import Parameter

from paddock.app import open_routing
from paddock.cli.application import noun
from paddock.cli.commands.replay import Replay, replay
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import ChangingFlags, Flags
from paddock.cli.reading import read_text
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.errors import InvalidFile, UsageError
from paddock.gateway.documents import (
    Explanation,
    RuleList,
    RuleSaved,
    RuleTest,
    TargetLine,
    checked,
    explained,
    tested,
)
from paddock.gateway.routers import TEXT_CHARACTERS_MAX
from paddock.gateway.routing import Traits
from paddock.gateway.rule_book import RuleFile, RulesImported, read_rules, with_changes
from paddock.gateway.rules import Match, Rule, RuleTarget

_NO_FLAGS = Flags()
_NO_CHANGE = ChangingFlags()

Name = Annotated[str, Parameter(help="The rule's name.")]
Exact = Annotated[str | None, Parameter(help="Fits this name of a model and no other.")]
Prefix = Annotated[str | None, Parameter(help="Fits names that begin so.")]
Regex = Annotated[str | None, Parameter(help="Fits names that are wholly described by it (RE2's syntax).")]
To = Annotated[
    tuple[str, ...] | None,
    Parameter(
        name="--to",
        help="Where it leads: `PROVIDER=MODEL`, `PROVIDER=` for the name as asked, `MODEL` wherever that is. "
        "Given again, the next one answers when the one before cannot.",
    ),
]
Option = Annotated[
    tuple[str, ...] | None,
    Parameter(name="--option", help="`NAME=VALUE`, passed to the provider as it stands; what reads as JSON is JSON."),
]
Tests = Annotated[tuple[str, ...] | None, Parameter(name="--test", help="A name to hold the rule against first.")]
PriorityOf = Annotated[int | None, Parameter(help="Higher goes first; 0 is usual.")]
About = Annotated[str | None, Parameter(help="One line about it.")]
Needs = Annotated[
    tuple[str, ...] | None,
    Parameter(name="--needs", help="What the request cannot do without: `vision`, `tools`, `thinking`."),
]

route = noun("route", "Say which model answers to which name.")


@route.default
@route.command(name="list")
async def list_rules(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Say which model answers to which name.

    Lists the rules in the order in which they are asked. Names that fit no rule are models here, or at a provider.
    """
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        rules = await rooms.rules.list()
    desk.answer(RuleList(rules=tuple(rules)), lambda screen: _show(screen, rules))


@route.command
async def add(
    name: Name,
    /,
    *,
    exact: Exact = None,
    prefix: Prefix = None,
    regex: Regex = None,
    to: To = None,
    option: Option = None,
    priority: PriorityOf = None,
    description: About = None,
    test: Tests = None,
    off: Annotated[bool, Parameter(help="Keep it, but do not follow it yet.")] = False,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Add a rule. What is wrong with it is said before it is saved."""
    match, pattern = _pattern(exact, prefix, regex) or _missing_pattern()
    rule = Rule(
        name=name,
        match=match,
        pattern=pattern,
        targets=_targets(to or (), parsed_options(option or ())),
        priority=priority or 0,
        enabled=not off,
        description=description or "",
    )
    await _save(desk, rule, test or (), new=True, dry_run=flags.dry_run)


@route.command
async def edit(
    name: Name,
    /,
    *,
    exact: Exact = None,
    prefix: Prefix = None,
    regex: Regex = None,
    to: To = None,
    option: Option = None,
    priority: PriorityOf = None,
    description: About = None,
    test: Tests = None,
    on: Annotated[bool | None, Parameter(negative="--off", help="Follow it, or keep it without following it.")] = None,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Change a rule; what is not given stays."""
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        before = await rooms.rules.get(name)
    match, pattern = _pattern(exact, prefix, regex) or (None, None)
    targets = _targets(to, parsed_options(option or ())) if to else None
    if targets is None and option:
        options = parsed_options(option)
        targets = tuple(
            RuleTarget(provider=each.provider, model=each.model, options=options) for each in before.targets
        )
    rule = with_changes(
        before,
        match=match,
        pattern=pattern,
        targets=targets,
        priority=priority,
        enabled=on,
        description=description,
    )
    await _save(desk, rule, test or (), new=False, dry_run=flags.dry_run)


@route.command(name="rm", alias=("remove", "delete"))
async def remove(name: Name, /, *, flags: ChangingFlags = _NO_CHANGE, desk: Given[Desk]) -> None:
    """Remove a rule."""
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        rule = await rooms.rules.get(name) if flags.dry_run else await rooms.rules.remove(name)
    desk.answer(rule, lambda screen: screen.line(f"{name} {'would be' if flags.dry_run else 'is'} removed."))


@route.command(name="test")
async def try_rule(
    name: Name,
    /,
    *models: Annotated[str, Parameter(name="MODEL", help="Names of models, as they would be asked.")],
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Hold a rule against names of models: does it fit, does it decide, where do they go."""
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        rule = await rooms.rules.get(name)
        tests = await tested(rule, models, directory=rooms.directory, rules=await rooms.rules.rules())
    desk.answer(RuleSaved(rule=rule, tests=tuple(tests)), lambda screen: _show_tests(screen, tests))


@route.command
async def explain(
    model: Annotated[str, Parameter(help="A name as it would be asked, like `auto:code`; none is the default.")] = "",
    /,
    *,
    request: Annotated[
        Path | None,
        Parameter(
            help="A request of OpenAI's chat API, whose needs and text count, too; `-` is stdin.",
            allow_leading_hyphen=True,
        ),
    ] = None,
    needs: Needs = None,
    text: Annotated[
        str, Parameter(help="What would be asked: a router that reads decides by it, while a server runs.")
    ] = "",
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Say who would answer, in which order, and why no one else. Nobody is asked, but for a router that has to read."""
    told = Traits(model=model)
    if request is not None:
        told = _traits_in(read_text(desk, request), model)
    needed = tuple(dict.fromkeys((*(needs or ()), *told.needs)))
    traits = Traits(model=told.model, needs=needed, text=text[:TEXT_CHARACTERS_MAX] or told.text)
    found = await _explained(desk, traits)
    desk.answer(found, lambda screen: _show_explanation(screen, found))
    if not found.targets:
        desk.fail(4)


@route.command(name="export")
async def export_rules(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """Write all rules to stdout, to be carried elsewhere."""
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        file = await rooms.rules.export()
    desk.answer(file, lambda screen: screen.line(json.dumps(msgspec.to_builtins(file), indent=2, ensure_ascii=False)))


@route.command(name="import")
async def import_rules(
    file: Annotated[
        Path, Parameter(help="What `paddock route export` wrote; `-` is stdin.", allow_leading_hyphen=True)
    ],
    /,
    *,
    replace: Annotated[bool, Parameter(help="Rules that are not in the file go.")] = False,
    flags: ChangingFlags = _NO_CHANGE,
    desk: Given[Desk],
) -> None:
    """Take over rules, all or none. Those of the same name are replaced."""
    rules = read_rules(read_text(desk, file))
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        done = await rooms.rules.load(rules, replace_all=replace, dry_run=flags.dry_run)
    desk.answer(done, lambda screen: _show_import(screen, done, dry_run=flags.dry_run))


route.command(replay)


async def _explained(desk: Desk, traits: Traits) -> Explanation:
    """By the server of this home when one runs and there is something to read: models are there."""
    if traits.text and desk.server is not None:
        from paddock.client.opening import connected

        body = {"model": traits.model, "needs": list(traits.needs), "text": traits.text}
        async with connected(desk.server) as connection:
            return await connection.post("/admin/route/explain", Explanation, body)
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        return await explained(rooms.directory, traits)


async def _save(desk: Desk, rule: Rule, names: Sequence[str], *, new: bool, dry_run: bool) -> None:
    async with open_routing(desk.config, desk.invocation.world) as rooms:
        await checked(rule, definitions=rooms.definitions)
        tests = await tested(rule, names, directory=rooms.directory, rules=await rooms.rules.rules())
        if not dry_run:
            await (rooms.rules.add(rule) if new else rooms.rules.change(rule))
    said = "is valid" if dry_run else "is saved"

    def show(screen: Screen) -> None:
        screen.line(f"{rule.name} {said}: {rule.match} `{rule.pattern}` goes to {_leads(rule)}.")
        _show_tests(screen, tests)

    desk.answer(RuleSaved(rule=rule, tests=tuple(tests)), show)


def _pattern(exact: str | None, prefix: str | None, regex: str | None) -> tuple[Match, str] | None:
    given = [
        (match, pattern)
        for match, pattern in ((Match.EXACT, exact), (Match.PREFIX, prefix), (Match.REGEX, regex))
        if pattern is not None
    ]
    if len(given) > 1:
        raise UsageError("A rule has one pattern.", hint="Give one of `--exact`, `--prefix`, `--regex`.")
    return given[0] if given else None


def _missing_pattern() -> tuple[Match, str]:
    raise UsageError("A rule needs a pattern.", hint="Give `--exact NAME`, `--prefix TEXT` or `--regex PATTERN`.")


def _targets(given: Sequence[str], options: Mapping[str, Any]) -> tuple[RuleTarget, ...]:
    targets: list[RuleTarget] = []
    for text in given:
        provider, equals, model = text.partition("=")
        if not equals:
            provider, model = "", text
        targets.append(RuleTarget(provider=provider, model=model, options=options))
    return tuple(targets)


def parsed_options(pairs: Sequence[str]) -> Mapping[str, Any]:
    """`NAME=VALUE` pairs as plain data."""
    options: dict[str, Any] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not (name and equals):
            raise UsageError(f"`{pair}` is no option.", hint="Write it like `num_ctx=8192`.")
        try:
            options[name] = json.loads(value)
        except ValueError:
            options[name] = value
    return options


def _traits_in(text: str, model: str) -> Traits:
    """What a request in OpenAI's words asks for."""
    try:
        body = msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise InvalidFile("The request is no JSON object.", hint="Write what you would send.") from error
    said = json.dumps(body.get("messages", []))
    needs = [*(["vision"] if '"image_url"' in said else []), *(["tools"] if body.get("tools") else [])]
    return Traits(
        model=model or str(body.get("model") or ""), needs=tuple(needs), text=_last_said(body)[:TEXT_CHARACTERS_MAX]
    )


def _last_said(body: Mapping[str, Any]) -> str:
    """The last text of its user."""
    try:
        messages = msgspec.convert(body.get("messages", []), list[dict[str, Any]])
    except msgspec.ValidationError as error:
        raise InvalidFile(
            f"The request's messages are not understood: {error}.", hint="Write what you would send."
        ) from error
    said = [each.get("content") for each in messages if each.get("role") == "user"]
    return said[-1] if said and isinstance(said[-1], str) else ""


def _leads(rule: Rule) -> str:
    return ", then ".join(_place(each.provider, each.model) for each in rule.targets)


def _place(provider: str, model: str) -> str:
    if not provider:
        return model
    return f"{model} of {provider}" if model else provider


def _show(screen: Screen, rules: Sequence[Rule]) -> None:
    if not rules:
        screen.line("No rules. Make one with: paddock route add NAME --prefix gpt- --to openai=")
        return
    rows: list[Sequence[Cell]] = [
        (rule.name, f"{rule.match} {rule.pattern}", _leads(rule), str(rule.priority), "" if rule.enabled else "off")
        for rule in rules
    ]
    columns = (
        Column(title="name"),
        Column(title="fits"),
        Column(title="goes to", wrap=True),
        Column(title="priority", right=True, rank=1),
        Column(title="", rank=2),
    )
    show_table(screen, columns, rows)


def _show_tests(screen: Screen, tests: Sequence[RuleTest]) -> None:
    for test in tests:
        if test.decides:
            what = "decides"
        elif test.fits:
            what = f"fits, but `{test.decided_by}` decides" if test.decided_by else "fits, but is off"
        else:
            what = "does not fit"
        screen.line(f"{test.name}: {what}; {_answered(test.targets)}.")


def _answered(targets: Sequence[TargetLine]) -> str:
    if not targets:
        return "nobody answers"
    return "asked are " + ", then ".join(_place(each.provider, each.model) for each in targets)


def _show_explanation(screen: Screen, found: Explanation) -> None:
    for number, target in enumerate(found.targets):
        screen.line(f"{number + 1}. {target.model} of {target.provider} ({target.route})")
    if found.error is not None:
        screen.line(f"Nobody: {found.error} {found.hint or ''}")
    screen.line()
    for step in found.steps:
        screen.line(f"- {step}")
    for warning in found.warnings:
        screen.line(f"- warning: {warning}")
    if found.considered:
        screen.line()
        rows: list[Sequence[Cell]] = [
            (each.model, each.provider, "fits" if each.fits else "no", each.reason) for each in found.considered
        ]
        columns = (Column(title="model"), Column(title="provider"), Column(title=""), Column(title="why", wrap=True))
        show_table(screen, columns, rows)


def _show_import(screen: Screen, done: RulesImported, *, dry_run: bool) -> None:
    would = "would be " if dry_run else ""
    for what, names in (("added", done.added), ("changed", done.changed), ("removed", done.removed)):
        if names:
            screen.line(f"{would}{what}: {', '.join(names)}")
    if not (done.added or done.changed or done.removed):
        screen.line("Nothing changes.")


__all__ = ["Explanation", "Replay", "Rule", "RuleFile", "RuleList", "RuleSaved", "RulesImported", "route"]
