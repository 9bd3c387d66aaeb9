"""The models of this server as OpenAI's API lists them."""

from collections.abc import Callable, Collection, Sequence

from paddock.dialects.openai_wire import Model, ModelCapabilities, ModelList
from paddock.gateway.candidates import LOCAL, Candidate
from paddock.gateway.routing import Target, Traits
from paddock.pool.status import MemoryState
from paddock.security.callers import Caller
from paddock.server.rooms import ServerRooms
from paddock.vocabulary import Capabilities, ModelInfo


async def all_models(rooms: ServerRooms, caller: Caller) -> ModelList:
    """Every model that `caller` may use: those here, each name with its aliases behind it, and those elsewhere."""
    loaded = _loaded(rooms)
    models = [
        _model(info, loaded=info.name in loaded, alias=None if name == info.name else name)
        for info in await rooms.library.list()
        if info.format.runs(embeds=info.capabilities.embeddings)
        for name in names_of(info, caller)
    ]
    models += [_far_model(one, name) for name, one in await far_models(rooms, caller, {model.id for model in models})]
    return ModelList(data=models)


async def one_model(rooms: ServerRooms, name: str) -> Model:
    """The model that `name` means. Raises ModelNotFound with near names."""
    found = await rooms.routing.directory.route(Traits(model=name))
    if not found.targets and found.failure is not None:
        raise found.failure
    target = found.targets[0]
    if target.provider != LOCAL:
        return _far_model(await known_model(rooms, target), name)
    info = (await rooms.library.get(target.model)).info()
    alias = None if name in ("", info.name) else name
    return _model(info, loaded=info.name in _loaded(rooms), alias=alias)


def names_of(info: ModelInfo, caller: Caller) -> Sequence[str]:
    """The names by which `caller` may ask for a model that is here: `check_model` lets these through."""
    if caller.may_use(info.name):
        return (info.name, *info.aliases)
    return [alias for alias in info.aliases if caller.may_use(alias)]


async def far_models(
    rooms: ServerRooms, caller: Caller, taken: Collection[str], spelled: Callable[[str], str] = str
) -> Sequence[tuple[str, Candidate]]:
    """Models of providers, as they last told of them, each with the name by which `caller` may ask for it.

    Where its own name is `taken`, or is not what the caller may ask for, its provider stands before it. `spelled` is how a
    dialect writes a name.
    """
    found: dict[str, Candidate] = {}
    for one in (await rooms.routing.directory.models()).all:
        if one.provider != LOCAL:
            names = (one.name, f"{one.provider}/{one.name}")
            free = (name for name in names if spelled(name) not in taken and spelled(name) not in found)
            name = next((name for name in free if caller.may_use(name)), None)
            if name is not None:
                found[spelled(name)] = one
    return [*found.items()]


async def known_model(rooms: ServerRooms, target: Target) -> Candidate:
    """What is known of a provider's model, which its list may not have."""
    known = (await rooms.routing.directory.models()).at(target.provider, target.model)
    return known or Candidate(name=target.model, provider=target.provider, context_window=0, context_told=False)


def _far_model(one: Candidate, name: str) -> Model:
    return Model(
        id=name,
        created=0,
        owned_by=one.provider,
        context_window=one.context_window,
        max_output_tokens=one.context_window,
        capabilities=_capabilities(one.capabilities),
        loaded=False,
    )


def _capabilities(can: Capabilities) -> ModelCapabilities:
    return ModelCapabilities(
        text=can.text,
        vision=can.vision,
        embeddings=can.embeddings,
        tools=can.tools,
        streaming=can.streaming,
        thinking=can.thinking,
    )


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
        capabilities=_capabilities(can),
        loaded=loaded,
    )
    return model if alias is None else _alias(model, info.name)


def _alias(model: Model, name: str) -> Model:
    import msgspec

    return msgspec.structs.replace(model, alias_of=name)
