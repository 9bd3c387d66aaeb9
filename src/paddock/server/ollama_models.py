"""The models of this server as Ollama's API tells of them."""

import hashlib
from datetime import UTC, datetime
from typing import Final

from paddock.dialects.ollama_answers import time_text
from paddock.dialects.ollama_names import meant_by, plain, tagged
from paddock.dialects.ollama_wire import Details, ListedModel, ModelList, RunningList, RunningModel, ShownModel
from paddock.pool.status import MemoryState
from paddock.providers.naming import resolve
from paddock.server.models_document import ModelsInMemory
from paddock.server.rooms import ServerRooms
from paddock.vocabulary import ModelInfo

_IN_MEMORY: Final = (MemoryState.READY, MemoryState.RESTARTING)
_FOREVER: Final = datetime(2318, 1, 1, tzinfo=UTC)  # Ollama's own way to say that a model stays
_PARAMETERS: Final = ("temperature", "top_p", "top_k", "repeat_penalty")


async def known_name(rooms: ServerRooms, name: str) -> str:
    """`name` as the library knows it: `pony:latest` is `pony`, unless something here is called just that."""
    for meant in meant_by(name):
        if await rooms.library.find(meant) is not None:
            return meant
    return plain(name)


async def tags(rooms: ServerRooms) -> ModelList:
    """Every model that can run here, each name with its aliases behind it."""
    listed = await rooms.library.list()
    models = [info for info in listed if info.format.runs(embeds=info.capabilities.embeddings)]
    return ModelList(models=[_listed(info, name) for info in models for name in (info.name, *info.aliases)])


async def running(rooms: ServerRooms) -> RunningList:
    """The models in memory."""
    status = await ModelsInMemory(rooms.pool, rooms.library, now=rooms.now).status()
    models: list[RunningModel] = []
    for name, held in status.loaded_models.items():
        record = await rooms.library.find(name)
        if record is None or held.state not in _IN_MEMORY:
            continue
        info = record.info()
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
    """The model that `name` means. Raises ModelNotFound with near names."""
    target = await resolve(await known_name(rooms, name), find=rooms.library.get, default=rooms.config.model.default)
    info = target.record.info()
    return ShownModel(
        modelfile=f"FROM {tagged(info.name)}\n",
        parameters=_parameters(rooms, info.name),
        template="",
        license=info.license or "",
        details=_details(info),
        model_info=_model_info(info),
        capabilities=capabilities(info),
        modified_at=time_text(info.modified_at),
    )


def capabilities(info: ModelInfo) -> list[str]:
    """Ollama's words for what a model can do."""
    can = info.capabilities
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
