"""`RuleBook`: the rules, as rows. What is wrong is refused before it is written."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

import msgspec
from sqlalchemy import delete, select

from paddock.db.engine import Database
from paddock.db.tables import RouteRuleRow
from paddock.errors import InvalidFile, NotFound, UsageError
from paddock.gateway.noticed import Noticed
from paddock.gateway.rules import RULES_MAX, Match, Rule, RuleSet, RuleTarget, check_rule

FORM: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleFile:
    """All rules, to be carried elsewhere."""

    paddock_rules: int  # the form of this file
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RulesImported:
    """What an import did."""

    added: tuple[str, ...]
    changed: tuple[str, ...]
    removed: tuple[str, ...]


class RuleBook:
    """Add, change, remove, carry. Every call is one transaction. Names that are not known raise NotFound."""

    def __init__(self, database: Database, *, now: Callable[[], datetime], clock: Callable[[], float]) -> None:
        self._database = database
        self._now = now
        self._noticed: Noticed[RuleSet] = Noticed(
            database,
            counted=RouteRuleRow.name,
            changed=RouteRuleRow.updated_at,
            read=self._read,
            clock=clock,
        )

    async def rules(self) -> RuleSet:
        """All of them, ready to be matched."""
        return await self._noticed.get()

    async def list(self) -> Sequence[Rule]:
        """All of them, in the order in which they are asked."""
        return (await self._read()).rules

    async def get(self, name: str) -> Rule:
        async with self._database.session() as session:
            return _rule(await session.get(RouteRuleRow, name) or _unknown(name))

    async def add(self, rule: Rule) -> Rule:
        """Raises UsageError for what is no rule, or a name that is taken."""
        return await self._put(rule, new=True)

    async def change(self, rule: Rule) -> Rule:
        """Put `rule` in the place of the one of its name."""
        return await self._put(rule, new=False)

    async def remove(self, name: str) -> Rule:
        """What it was."""
        async with self._database.session(exclusive=True) as session:
            row = await session.get(RouteRuleRow, name) or _unknown(name)
            was = _rule(row)
            await session.delete(row)
        self._noticed.forget()
        return was

    async def export(self) -> RuleFile:
        return RuleFile(paddock_rules=FORM, rules=tuple(await self.list()))

    async def load(self, rules: Sequence[Rule], *, replace_all: bool = False, dry_run: bool = False) -> RulesImported:
        """Take over `rules`, all or none. With `replace_all` those that are not among them go."""
        names = [rule.name for rule in rules]
        drafted(rules)
        async with self._database.session(exclusive=True) as session:
            here = {row.name: _rule(row) for row in (await session.scalars(select(RouteRuleRow))).all()}
            kept = {} if replace_all else here
            after = {**kept, **{rule.name: rule for rule in rules}}
            _check_all(list(after.values()))
            done = RulesImported(
                added=tuple(name for name in names if name not in here),
                changed=tuple(rule.name for rule in rules if rule.name in here and here[rule.name] != rule),
                removed=tuple(name for name in here if name not in after),
            )
            if not dry_run:
                gone = [*done.removed, *(name for name in names if name in here)]
                await session.execute(delete(RouteRuleRow).where(RouteRuleRow.name.in_(gone)))
                session.add_all(_row(rule, self._now()) for rule in rules)
        self._noticed.forget()
        return done

    async def _put(self, rule: Rule, *, new: bool) -> Rule:
        check_rule(rule)
        async with self._database.session(exclusive=True) as session:
            row = await session.get(RouteRuleRow, rule.name)
            if new and row is not None:
                raise UsageError(
                    f"There is a rule `{rule.name}` already.", hint="Change it with `paddock route edit`.", param="name"
                )
            if not new and row is None:
                _unknown(rule.name)
            others = [_rule(each) for each in (await session.scalars(select(RouteRuleRow))).all() if each is not row]
            _check_all([*others, rule])
            await session.merge(_row(rule, self._now()))
        self._noticed.forget()
        return rule

    async def _read(self) -> RuleSet:
        async with self._database.session() as session:
            rows = (await session.scalars(select(RouteRuleRow))).all()
        return RuleSet(_rule(row) for row in rows)


def read_rules(text: str | bytes) -> Sequence[Rule]:
    """The rules of an exported file. Raises InvalidFile."""
    try:
        file = msgspec.json.decode(text, type=RuleFile)
    except (msgspec.DecodeError, msgspec.ValidationError, RecursionError) as error:
        raise InvalidFile(
            f"This is no file of rules: {str(error)[:200]}.", hint="`paddock route export` writes one."
        ) from error
    if file.paddock_rules != FORM:
        raise InvalidFile(
            f"This file of rules has the form {file.paddock_rules}; this Paddock reads {FORM}.", hint="Update Paddock."
        )
    return file.rules


def drafted(rules: Sequence[Rule]) -> RuleSet:
    """`rules`, checked as an import would, to be tried without being kept. Raises UsageError."""
    names = [rule.name for rule in rules]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"There are two rules called `{twice}`.", hint="Give each a name of its own.")
    for rule in rules:
        check_rule(rule)
    if len(rules) > RULES_MAX:
        raise UsageError(f"There are more than {RULES_MAX:,} rules.", hint="Use prefixes and expressions.")
    return RuleSet(rules)


def with_changes(rule: Rule, **changes: Any) -> Rule:
    """`rule`, with those of `changes` that are not None."""
    return replace(rule, **{name: value for name, value in changes.items() if value is not None})


def _check_all(rules: Sequence[Rule]) -> None:
    if len(rules) > RULES_MAX:
        raise UsageError(f"There would be more than {RULES_MAX:,} rules.", hint="Use prefixes and expressions.")
    RuleSet(rules)  # raises when they are too much together


def _unknown(name: str) -> RouteRuleRow:
    raise NotFound(f"There is no rule `{name[:80]}`.", hint="`paddock route list` shows them.")


def _rule(row: RouteRuleRow) -> Rule:
    return Rule(
        name=row.name,
        match=Match(row.match),
        pattern=row.pattern,
        targets=msgspec.convert(row.targets, tuple[RuleTarget, ...]),
        priority=row.priority,
        enabled=row.enabled,
        description=row.description,
    )


def _row(rule: Rule, now: datetime) -> RouteRuleRow:
    return RouteRuleRow(
        name=rule.name,
        match=rule.match.value,
        pattern=rule.pattern,
        targets=[msgspec.to_builtins(target) for target in rule.targets],
        priority=rule.priority,
        enabled=rule.enabled,
        description=rule.description,
        updated_at=now,
    )
