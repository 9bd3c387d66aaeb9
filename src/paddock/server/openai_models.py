"""The models of this server as OpenAI's API lists them."""

from paddock.dialects.openai_wire import Model, ModelCapabilities, ModelList
from paddock.pool.status import MemoryState
from paddock.providers.naming import resolve
from paddock.server.rooms import ServerRooms
from paddock.vocabulary import ModelInfo


async def all_models(rooms: ServerRooms) -> ModelList:
    """Every model that can run here, each name with its aliases behind it."""
    loaded = _loaded(rooms)
    models: list[Model] = []
    for info in await rooms.library.list():
        if info.format.runs_here:
            models.append(_model(info, loaded=info.name in loaded))
            models.extend(_model(info, loaded=info.name in loaded, alias=alias) for alias in info.aliases)
    return ModelList(data=models)


async def one_model(rooms: ServerRooms, name: str) -> Model:
    """The model that `name` means. Raises ModelNotFound with near names."""
    target = await resolve(name, find=rooms.library.get, default=rooms.config.model.default)
    info = target.record.info()
    alias = None if name in ("", info.name) else name
    return _model(info, loaded=info.name in _loaded(rooms), alias=alias)


def _loaded(rooms: ServerRooms) -> frozenset[str]:
    return frozenset(name for name, held in rooms.pool.status().models.items() if held.state is MemoryState.READY)


def _model(info: ModelInfo, *, loaded: bool, alias: str | None = None) -> Model:
    can = info.capabilities
    model = Model(
        id=alias or info.name,
        created=int(info.modified_at.timestamp()),
        owned_by=info.name.split("/")[0] if "/" in info.name and "://" not in info.name else info.source.value,
        context_window=info.context_window,
        max_output_tokens=info.max_output_tokens,
        capabilities=ModelCapabilities(
            text=can.text,
            vision=can.vision,
            embeddings=can.embeddings,
            tools=can.tools,
            streaming=can.streaming,
            thinking=can.thinking,
        ),
        loaded=loaded,
    )
    return model if alias is None else _alias(model, info.name)


def _alias(model: Model, name: str) -> Model:
    import msgspec

    return msgspec.structs.replace(model, alias_of=name)
