"""The models of this server as Anthropic's API lists them."""

from datetime import UTC, datetime

from paddock.dialects.anthropic_models import ListedModel, ModelPage, PageFields, capabilities_of, page_of
from paddock.gateway.candidates import LOCAL, Candidate
from paddock.gateway.routing import Traits
from paddock.security.callers import Caller
from paddock.server.openai_models import far_models, known_model, names_of
from paddock.server.rooms import ServerRooms
from paddock.vocabulary import ModelInfo


async def models_page(rooms: ServerRooms, caller: Caller, page: PageFields) -> ModelPage:
    """Every model that `caller` may use, each name with its aliases behind it, a page at a time. Raises UsageError."""
    models = [
        _model(info, name)
        for info in await rooms.library.list()
        if info.format.runs_here
        for name in names_of(info, caller)
    ]
    models += [_far_model(one, name) for name, one in await far_models(rooms, caller, {model.id for model in models})]
    return page_of(models, page)


async def one_model(rooms: ServerRooms, name: str) -> ListedModel:
    """The model that `name` means. Raises ModelNotFound with near names."""
    found = await rooms.routing.directory.route(Traits(model=name))
    if not found.targets and found.failure is not None:
        raise found.failure
    target = found.targets[0]
    if target.provider != LOCAL:
        return _far_model(await known_model(rooms, target), name)
    return _model((await rooms.library.get(target.model)).info(), name)


def _far_model(one: Candidate, name: str) -> ListedModel:
    return ListedModel(
        id=name,
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
