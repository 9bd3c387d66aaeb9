"""The models of this server as Ollama's API tells of them."""

import hashlib
from datetime import UTC, datetime
from typing import Final

from paddock.dialects.ollama_answers import time_text
from paddock.dialects.ollama_names import meant_by, plain, tagged
from paddock.dialects.ollama_wire import Details, ListedModel, ModelList, RunningList, RunningModel, ShownModel
from paddock.gateway.candidates import LOCAL, Candidate
from paddock.gateway.routing import Target, Traits
from paddock.pool.status import MemoryState
from paddock.providers.naming import resolve
from paddock.security.callers import Caller
from paddock.server.models_document import ModelsInMemory
from paddock.server.openai_models import far_models, known_model, names_of
from paddock.server.rooms import ServerRooms
from paddock.vocabulary import Capabilities, ModelInfo

_IN_MEMORY: Final = (MemoryState.READY, MemoryState.RESTARTING)
_FOREVER: Final = datetime(2318, 1, 1, tzinfo=UTC)  # Ollama's own way to say that a model stays
_NEVER: Final = time_text(datetime.fromtimestamp(0, UTC))  # nobody tells when a model elsewhere changed
_PARAMETERS: Final = ("temperature", "top_p", "top_k", "repeat_penalty")


async def known_name(rooms: ServerRooms, name: str) -> str:
    """`name` as the library knows it: `pony:latest` is `pony`, unless something here is called just that."""
    for meant in meant_by(name):
        if await rooms.library.find(meant) is not None:
            return meant
    elsewhere = await rooms.routing.directory.models()
    provider, _, model = name.partition("/")
    if elsewhere.elsewhere(name) or elsewhere.at(provider, model):  # an Ollama there has tags in its names
        return name
    return plain(name)


async def tags(rooms: ServerRooms, caller: Caller) -> ModelList:
    """Every model that `caller` may use: those here, each name with its aliases behind it, and those elsewhere."""
    listed = await rooms.library.list()
    here = [info for info in listed if info.format.runs(embeds=info.capabilities.embeddings)]
    models = [_listed(info, name) for info in here for name in names_of(info, caller)]
    taken = {model.name for model in models}
    models += [_far_listed(one, name) for name, one in await far_models(rooms, caller, taken, tagged)]
    return ModelList(models=models)


async def running(rooms: ServerRooms, caller: Caller) -> RunningList:
    """The models in memory that `caller` may use."""
    status = await ModelsInMemory(rooms.pool, rooms.library, now=rooms.now).status()
    models: list[RunningModel] = []
    for name, held in status.loaded_models.items():
        record = await rooms.library.find(name)
        if record is None or held.state not in _IN_MEMORY:
            continue
        info = record.info()
        if not names_of(info, caller):
            continue
        stays = held.keep_alive_s is None or held.preloaded
        soon = rooms.now() if held.expires_at is None else held.expires_at  # in use: its time begins when it is idle
        in_memory = held.measured_bytes if held.measured_bytes is not None else held.predicted_bytes
        models.append(
            RunningModel(
                name=tagged(name),
                model=tagged(name),
                size=in_memory,
                digest=_digest(info),
                details=_details(info),
                expires_at=time_text(_FOREVER if stays else soon),
                size_vram=in_memory,
                context_length=info.context_window,
            )
        )
    return RunningList(models=models)


async def shown(rooms: ServerRooms, name: str) -> ShownModel:
    """The model that `name` means, a name that is known. Raises ModelNotFound with near names."""
    if (far := await far_target(rooms, name)) is not None:
        return _far_shown(await known_model(rooms, far))
    target = await resolve(name, find=rooms.library.get, default=rooms.config.model.default)
    info = target.record.info()
    return ShownModel(
        modelfile=f"FROM {tagged(info.name)}\n",
        parameters=_parameters(rooms, info.name),
        template="",
        license=info.license or "",
        details=_details(info),
        model_info=_model_info(info),
        capabilities=capabilities(info.capabilities),
        modified_at=time_text(info.modified_at),
    )


async def far_target(rooms: ServerRooms, name: str) -> Target | None:
    """Who answers under a known name when that is nobody here."""
    if await rooms.library.find(name or rooms.config.model.default) is not None:
        return None
    found = await rooms.routing.directory.route(Traits(model=name))
    return next((target for target in found.targets[:1] if target.provider != LOCAL), None)


def capabilities(can: Capabilities) -> list[str]:
    """Ollama's words for what a model can do."""
    words = {
        "completion": can.text,
        "embedding": can.embeddings,
        "vision": can.vision,
        "tools": can.tools,
        "thinking": can.thinking,
    }
    return [word for word, able in words.items() if able]


def _listed(info: ModelInfo, name: str) -> ListedModel:
    return ListedModel(
        name=tagged(name),
        model=tagged(name),
        modified_at=time_text(info.modified_at),
        size=info.size,
        digest=_digest(info),
        details=_details(info),
    )


def _far_listed(one: Candidate, name: str) -> ListedModel:
    """A model of a provider, as Ollama lists those that it asks elsewhere for: nothing of it lies here."""
    return ListedModel(
        name=name,
        model=name,
        modified_at=_NEVER,
        size=0,
        digest=hashlib.sha256(f"{one.provider}\n{one.name}".encode()).hexdigest(),
        details=_far_details(one),
        remote_model=one.name,
        remote_host=one.provider,
    )


def _far_shown(one: Candidate) -> ShownModel:
    told: dict[str, str | int] = {"general.architecture": one.family, "general.basename": one.name}
    if one.context_window:
        told[f"{one.family}.context_length"] = one.context_window
    return ShownModel(
        modelfile=f"FROM {tagged(one.name)}\n",
        parameters="",
        template="",
        license="",
        details=_far_details(one),
        model_info=told,
        capabilities=capabilities(one.capabilities),
        modified_at=_NEVER,
        remote_model=one.name,
        remote_host=one.provider,
    )


def _far_details(one: Candidate) -> Details:
    return Details(format="", family=one.family, families=[one.family], parameter_size="", quantization_level="")


def _details(info: ModelInfo) -> Details:
    return Details(
        format=info.format.value,
        family=info.family,
        families=[info.family],
        parameter_size=_parameter_size(info.parameters),
        quantization_level=info.quantization or "",
    )


def _digest(info: ModelInfo) -> str:
    """64 hexadecimal digits that change with the model. Ollama's are of its manifest, which only its own models have."""
    return hashlib.sha256(f"{info.name}\n{info.revision}\n{info.size}".encode()).hexdigest()


def _parameter_size(count: int | None) -> str:
    """`7.6B`, `134.5M`; empty when it is not known."""
    if count is None:
        return ""
    for size, letter in ((10**9, "B"), (10**6, "M"), (10**3, "K")):
        if count >= size:
            return f"{count / size:.1f}{letter}"
    return str(count)


def _model_info(info: ModelInfo) -> dict[str, str | int]:
    architecture = info.architecture or info.family
    told: dict[str, str | int] = {
        "general.architecture": architecture,
        "general.basename": info.name,
        f"{architecture}.context_length": info.context_window,
    }
    if info.parameters is not None:
        told["general.parameter_count"] = info.parameters
    return told


def _parameters(rooms: ServerRooms, name: str) -> str:
    """What is set for the model where a request leaves it out, one option a line."""
    from paddock.config.schema import model_options

    options = model_options(rooms.config, name)
    lines = {option: getattr(options, option) for option in _PARAMETERS}
    lines["num_predict"] = options.max_tokens
    return "\n".join(f"{option:<30} {value}" for option, value in lines.items() if value is not None)
