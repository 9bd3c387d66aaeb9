"""The models in a running server's memory, with the interface of one's own."""

from typing import Any

from paddock.client.connection import Connection, at
from paddock.library.trials.results import TrialResult
from paddock.server.models_document import LoadAnswer, ModelsStatus, PinAnswer, UnloadAnswer, WarmAnswer

_MODELS = "/admin/models"


class RemotePool:
    """Implements ModelPool."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def load(self, name: str, *, pin: bool | None = None, warm: bool | None = None) -> LoadAnswer:
        return await self._connection.post(at(f"{_MODELS}/load", name), LoadAnswer, {"pin": pin, "warm": warm})

    async def unload(self, name: str, *, force: bool = False) -> UnloadAnswer:
        return await self._connection.post(at(f"{_MODELS}/unload", name), UnloadAnswer, {"force": force})

    async def pin(self, name: str, *, pinned: bool = True) -> PinAnswer:
        return await self._connection.post(at(f"{_MODELS}/pin", name), PinAnswer, {"pinned": pinned})

    async def warm(
        self, name: str, *, prefill_tokens: int = 128, tokens: int = 4, keep_loaded: bool | None = None
    ) -> WarmAnswer:
        body: dict[str, Any] = {"prefill_tokens": prefill_tokens, "tokens": tokens, "keep_loaded": keep_loaded}
        return await self._connection.post(at(f"{_MODELS}/warm", name), WarmAnswer, body)

    async def trial(self, name: str) -> TrialResult:
        return await self._connection.post(at(f"{_MODELS}/trial", name), TrialResult, {})

    async def status(self) -> ModelsStatus:
        return await self._connection.get(f"{_MODELS}/status", ModelsStatus)
