"""The models of this server as Anthropic's API lists them."""

from paddock.dialects.anthropic_models import ListedModel, ModelPage, PageFields, capabilities_of, page_of
from paddock.providers.naming import resolve
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
    return page_of(models, page)


async def one_model(rooms: ServerRooms, name: str) -> ListedModel:
    """The model that `name` means. Raises ModelNotFound with near names."""
    target = await resolve(name, find=rooms.library.get, default=rooms.config.model.default)
    return _model(target.record.info(), name)


def _model(info: ModelInfo, name: str) -> ListedModel:
    return ListedModel(
        id=name or info.name,
        display_name=info.name,
        created_at=info.modified_at,
        capabilities=capabilities_of(info.capabilities),
        max_input_tokens=info.context_window or None,
        max_tokens=info.max_output_tokens or None,
    )
