"""Paddock keeps AI models on people's own machines.

import paddock

async with paddock.open() as models:
    print((await models.chat("Hello", model="pony")).text)

with paddock.open_sync() as models:
    print(models.chat("Hello", model="pony").text)
"""

from paddock.version import VERSION

TYPE_CHECKING = False  # as `typing` has it, without loading `typing`
if TYPE_CHECKING:
    from paddock.client.asking import Answer, Embeddings, Part
    from paddock.client.opening import open_paddock as open  # noqa: A004 (its name is `paddock.open`)
    from paddock.client.paddock import Paddock, Session
    from paddock.client.pictures import picture
    from paddock.client.sync import SyncPaddock, SyncSession, open_sync
    from paddock.errors import PaddockError
    from paddock.library.pulling.plan import PullOptions
    from paddock.vocabulary import Message, ModelInfo, Picture, ProgressEvent

__version__ = VERSION

# Where each name is; nothing is imported before somebody asks for it.
_PLACES = {
    "Answer": ("paddock.client.asking", "Answer"),
    "Embeddings": ("paddock.client.asking", "Embeddings"),
    "Message": ("paddock.vocabulary", "Message"),
    "ModelInfo": ("paddock.vocabulary", "ModelInfo"),
    "Paddock": ("paddock.client.paddock", "Paddock"),
    "PaddockError": ("paddock.errors", "PaddockError"),
    "Part": ("paddock.client.asking", "Part"),
    "ProgressEvent": ("paddock.vocabulary", "ProgressEvent"),
    "PullOptions": ("paddock.library.pulling.plan", "PullOptions"),
    "Session": ("paddock.client.paddock", "Session"),
    "SyncPaddock": ("paddock.client.sync", "SyncPaddock"),
    "SyncSession": ("paddock.client.sync", "SyncSession"),
    "Picture": ("paddock.vocabulary", "Picture"),
    "picture": ("paddock.client.pictures", "picture"),
    "open": ("paddock.client.opening", "open_paddock"),
    "open_sync": ("paddock.client.sync", "open_sync"),
}

__all__ = [
    "Answer",
    "Embeddings",
    "Message",
    "ModelInfo",
    "Paddock",
    "PaddockError",
    "Part",
    "Picture",
    "ProgressEvent",
    "PullOptions",
    "Session",
    "SyncPaddock",
    "SyncSession",
    "__version__",
    "open",
    "open_sync",
    "picture",
]


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module 'paddock' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _PLACES[name]
    return getattr(import_module(module), attribute)


def __dir__() -> list[str]:
    return __all__
