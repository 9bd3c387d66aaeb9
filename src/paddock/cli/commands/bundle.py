"""`paddock bundle`: models that ship together, with a package or in a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from paddock.cli.application import noun
from paddock.cli.desk import Desk, Given
from paddock.cli.flags import Flags
from paddock.cli.screen import Screen
from paddock.cli.tables import Cell, Column, show_table
from paddock.library.bundles import Bundle, discover, make_bundle
from paddock.units import human_bytes

_NO_FLAGS = Flags()

bundle = noun("bundle", "List and make bundles: models that ship together.")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundledLine:
    name: str
    description: str
    size: int
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleLine:
    name: str
    description: str
    folder: str
    models: tuple[BundledLine, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleList:
    """`problems` are bundles that were found and cannot be used."""

    bundles: tuple[BundleLine, ...]
    problems: tuple[str, ...]


@bundle.default
@bundle.command(name="list")
def list_bundles(*, flags: Flags = _NO_FLAGS, desk: Given[Desk]) -> None:
    """List and make bundles: models that ship together."""
    found = discover()
    document = BundleList(
        bundles=tuple(_line(one) for one in found.bundles),
        problems=tuple(f"{problem.origin}: {problem.reason}" for problem in found.problems),
    )
    desk.answer(document, lambda screen: _show(screen, document))


@bundle.command
def make(
    destination: Annotated[Path, Parameter(help="The folder that becomes the bundle.")],
    folders: Annotated[
        tuple[Path, ...], Parameter(name="FOLDER", help="Folders of models, each named like its model.")
    ],
    /,
    *,
    name: Annotated[str | None, Parameter(help="What to call the bundle; usually like its folder.")] = None,
    description: Annotated[str, Parameter(help="One line about it.")] = "",
    flags: Flags = _NO_FLAGS,
    desk: Given[Desk],
) -> None:
    """Put folders of models together as a bundle, with the hash of every file.

    A package ships it by an entry point of the group `paddock.bundles`.
    """
    workspace = desk.invocation.workspace
    place = workspace / destination
    made = make_bundle(
        [workspace / folder for folder in folders], place, name=name or place.name, description=description
    )
    line = _line(made)
    desk.answer(line, lambda screen: screen.line(f"{line.folder} is the bundle {line.name}."))


def _line(one: Bundle) -> BundleLine:
    return BundleLine(
        name=one.name,
        description=one.description,
        folder=str(one.folder),
        models=tuple(
            BundledLine(name=model.name, description=model.description, size=model.size, path=str(model.path))
            for model in one.models
        ),
    )


def _show(screen: Screen, document: BundleList) -> None:
    rows: list[list[Cell]] = [
        [model.name, human_bytes(model.size), one.name, model.description]
        for one in document.bundles
        for model in one.models
    ]
    columns = (
        Column(title="model"),
        Column(title="size", right=True),
        Column(title="bundle"),
        Column(title="about", wrap=True),
    )
    show_table(screen, columns, rows)
    for problem in document.problems:
        screen.sentence(f"cannot be used: {problem}")
