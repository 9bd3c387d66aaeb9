"""The models of this server as Anthropic's API lists them."""

from datetime import UTC, datetime

from msgspec.structs import replace

from paddock.dialects.anthropic_models import ListedModel, ModelPage, PageFields, capabilities_of, page_of
from paddock.gateway.candidates import LOCAL, Candidate
from paddock.gateway.routing import Traits
from paddock.server.openai_models import far_models, known_model
from paddock.server.rooms import ServerRooms
from paddock.vocabulary import ModelInfo


async def models_page(rooms: ServerRooms, page: PageFields) -> ModelPage:
    """Every model that can run here, each name with its aliases behind it, a page at a time. Raises UsageError."""
    models = [
        _model(info, name)
        for info in await rooms.library.list()
        if info.format.runs_here
        for name in (info.name, *info.aliases)
    ]
    models += [_far_model(one) for one in await far_models(rooms)]
    return page_of(models, page)


async def one_model(rooms: ServerRooms, name: str) -> ListedModel:
    """The model that `name` means. Raises ModelNotFound with near names."""
    found = await rooms.routing.directory.route(Traits(model=name))
    if not found.targets and found.failure is not None:
        raise found.failure
    target = found.targets[0]
    if target.provider != LOCAL:
        return replace(_far_model(await known_model(rooms, target)), id=name)
    return _model((await rooms.library.get(target.model)).info(), name)


def _far_model(one: Candidate) -> ListedModel:
    return ListedModel(
        id=one.name,
        display_name=one.name,
        created_at=datetime.fromtimestamp(0, UTC),
        capabilities=capabilities_of(one.capabilities),
        max_input_tokens=one.context_window or None,
        max_tokens=None,
    )


def _model(info: ModelInfo, name: str) -> ListedModel:
    return ListedModel(
        id=name or info.name,
        display_name=info.name,
        created_at=info.modified_at,
        capabilities=capabilities_of(info.capabilities),
        max_input_tokens=info.context_window or None,
        max_tokens=info.max_output_tokens or None,
    )
