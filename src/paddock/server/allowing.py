"""Which models a caller may use."""

from contextlib import suppress

from paddock.errors import ModelNotFound
from paddock.providers.naming import resolve
from paddock.server.asking import Asking
from paddock.server.rooms import ServerRooms


async def check_model(rooms: ServerRooms, asking: Asking, name: str) -> None:
    """Raises ModelNotAllowed unless `asking` may use the model: under the name it was asked by, or under its own.

    Every route that lets a model work calls this before anything is loaded for it.
    """
    default = rooms.config.model.default
    names = [name or default]
    if asking.caller.may_use(names[0]):
        return
    with suppress(ModelNotFound):  # of a model that is not here, too, they learn only that they may not
        names.append((await resolve(name, find=rooms.library.get, default=default)).record.name)
    asking.caller.check_model(*names)
