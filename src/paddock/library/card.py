"""The model card: the YAML at the top of a model's README.md, as hubs and their tools write it.

    ---
    license: apache-2.0
    library_name: mlx
    tags: [mlx, qwen3]
    ---

A stranger wrote it, so reading is bounded and never fails: a card that cannot be understood says nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from paddock.catalog.detection import HubFacts
from paddock.config.yaml_file import parse_document
from paddock.errors import InvalidConfig

CARD_NAME = "README.md"
CARD_BYTES_MAX = 64 << 10
_TAGS_MAX = 200
_TEXT_CHARACTERS_MAX = 200
_FENCE = b"---"


@dataclass(frozen=True, slots=True)
class Card:
    """What a card says: the words that a hub would repeat, and the licence."""

    hub: HubFacts = field(default_factory=HubFacts)
    license: str | None = None


def read_card(path: Path) -> Card:
    """The card at `path`, empty when there is none or it makes no sense. Blocking."""
    try:
        with path.open("rb") as file:
            start = file.read(CARD_BYTES_MAX)
    except OSError:
        return Card()
    return parse_card(start)


def parse_card(start: bytes) -> Card:
    """What the first bytes of a README.md say. The settings' own reader refuses alias bombs, depth and odd tags."""
    head = _front_matter(start)
    if head is None:
        return Card()
    try:
        told = parse_document(head, CARD_NAME).data
    except InvalidConfig:
        return Card()
    library = _text(told.get("library_name"))
    tags = _texts(told.get("tags"))
    if library is not None and library not in tags:
        tags = (*tags, library)  # as the hub does
    return Card(
        HubFacts(tags=tags, pipeline_tag=_text(told.get("pipeline_tag")), library_name=library),
        _license(told),
    )


def _front_matter(start: bytes) -> bytes | None:
    """The bytes between the first two `---` lines; None when the file does not begin with one."""
    lines = start.removeprefix(b"\xef\xbb\xbf").splitlines()
    fences = [number for number, line in enumerate(lines) if line.rstrip() == _FENCE][:2]
    return b"\n".join(lines[1 : fences[1]]) if len(fences) == 2 and fences[0] == 0 else None


def _license(told: Mapping[Any, Any]) -> str | None:
    names = _texts(told.get("license"))
    if names == ("other",):
        return _text(told.get("license_name")) or "other"
    return ", ".join(names)[:_TEXT_CHARACTERS_MAX] or None


def _texts(value: object) -> tuple[str, ...]:
    """A word, or a list of words; what else is in the list is left out."""
    values = cast("list[object]", value) if isinstance(value, list) else [value]
    return tuple(text for one in values[:_TAGS_MAX] if (text := _text(one)) is not None)


def _text(value: object) -> str | None:
    """One printable line of sensible length."""
    if not isinstance(value, str) or not value.strip() or len(value) > _TEXT_CHARACTERS_MAX:
        return None
    return value.strip() if value.isprintable() else None
