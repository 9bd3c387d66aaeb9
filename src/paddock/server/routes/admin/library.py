"""`/admin/library/*`: the models on this machine's disk, and those at the hubs."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from pathlib import Path as Folder
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import Field
from starlette.responses import Response

from paddock.catalog.compare import Comparison
from paddock.errors import UsageError
from paddock.library.cleaning import Pruned
from paddock.library.details import ModelDetails
from paddock.library.prune import PrunePlan, UsageReport
from paddock.library.pulling.plan import Plan, PullOptions
from paddock.library.records import ModelRecord
from paddock.library.removal import Removed
from paddock.library.verification import FileCheck
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, STREAM, Body, answer, event, stream
from paddock.server.routes.admin.shapes import (
    Carried,
    CheckedFile,
    ModelList,
    SearchHits,
    StatusAnswer,
    Verifications,
    problem_of,
)
from paddock.vocabulary import ModelInfo, SourceKind

Name = Annotated[str, Path(description="A model's name, an alias, or a short name that fits only one.")]
Reference = Annotated[str, Field(min_length=1, max_length=2048)]


class PlanBody(Body):
    reference: Reference
    name: str | None = None
    skip_check: bool = False
    force: bool = False
    pin: bool = False

    @property
    def options(self) -> PullOptions:
        return PullOptions(skip_check=self.skip_check, force=self.force, name=self.name, pin=self.pin)


class CopyBody(Body):
    source: str
    alias: str


class KeepBody(Body):
    pinned: bool | None = Field(default=None, description="Whether clean-up must leave it; null leaves that as it is.")
    keep_alive: str | None = Field(
        default=None, description="`30m`, `0`, `forever`, or `default` to follow the settings; null leaves it as it is."
    )


class VerifyBody(Body):
    names: list[str] = Field(default=[], max_length=1000, description="Empty is all models.")
    repair: bool = False


class CarryBody(Body):
    folder: str = Field(min_length=1, max_length=4096, description="On the server's machine, from its root on.")
    names: list[str] = Field(default=[], max_length=1000, description="Empty is all models.")
    dry_run: bool = False

    @property
    def place(self) -> Folder:
        """Raises UsageError for a folder that would depend on where the server was started."""
        place = Folder(self.folder)
        if not place.is_absolute() or "\0" in self.folder:
            raise UsageError(
                f"`{self.folder[:200]}` does not begin at the root.",
                hint="Name the whole way: `/media/disk/models`.",
                param="folder",
            )
        return place


class PrunePlanBody(Body):
    older_than_days: float | None = Field(default=None, ge=0, le=100_000)
    max_bytes: int | None = Field(default=None, ge=0, le=1 << 62)


class PruneBody(Body):
    models: list[str] = Field(default=[], max_length=10_000, description="Names, as a plan's `removals` has them.")
    leftovers: list[str] = Field(default=[], max_length=10_000, description="Paths, as a plan's `leftovers` has them.")


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/library", responses=FAILURES)
    _reading(routes, rooms)
    _changing(routes, rooms)
    _cleaning(routes, rooms)
    _carrying(routes, rooms)
    return routes


def _reading(routes: APIRouter, rooms: ServerRooms) -> None:
    library = rooms.library

    @routes.get("/models", operation_id="list_models", response_model=ModelList)
    async def list_models(refresh: bool = False) -> Response:
        """Every model on this machine's disk."""
        return answer(ModelList(models=tuple(await library.list(refresh=refresh))))

    @routes.get("/models/{name:path}", operation_id="get_model", response_model=ModelRecord)
    async def get_model(name: Name) -> Response:
        """What is recorded of one model that is here."""
        return answer(await library.get(name))

    @routes.get("/show/{name:path}", operation_id="show_model", response_model=ModelDetails)
    async def show(name: Name) -> Response:
        """Everything that is known of a model, here or at its hub."""
        return answer(await library.show(name))

    @routes.get("/status/{name:path}", operation_id="model_status", response_model=StatusAnswer)
    async def status(name: Name) -> Response:
        """Whether a model is here, on its way, or neither."""
        return answer(StatusAnswer(name=name, status=await library.status(name)))

    @routes.get("/search", operation_id="search_models", response_model=SearchHits)
    async def search(
        query: Annotated[str, Query(max_length=500)] = "",
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        source: SourceKind | None = None,
    ) -> Response:
        """Models at the hubs, each with whether it would run here."""
        hits = await library.search(query, limit=limit, source=source)
        return answer(SearchHits(query=query, hits=tuple(hits)))

    @routes.get("/compare", operation_id="compare_models", response_model=Comparison)
    async def compare(name: Annotated[list[str], Query(min_length=1, max_length=20)]) -> Response:
        """Models side by side."""
        return answer(await library.compare(name))

    @routes.post("/plan", operation_id="plan_pull", response_model=Plan)
    async def plan(body: PlanBody) -> Response:
        """What a pull would take. Moves no weights."""
        return answer(await library.plan(body.reference, body.options))


def _changing(routes: APIRouter, rooms: ServerRooms) -> None:
    library = rooms.library

    @routes.delete("/models/{name:path}", operation_id="remove_model", response_model=Removed)
    async def remove(name: Name, adopted: bool = False, dry_run: bool = False) -> Response:
        """Remove a model from the disk; of an alias, only the name. 409 while the model is in memory or in use."""
        return answer(await library.remove(name, adopted=adopted, dry_run=dry_run))

    @routes.post("/copy", operation_id="copy_model", response_model=ModelInfo)
    async def copy(body: CopyBody) -> Response:
        """Give a model a second name."""
        await library.copy(body.source, body.alias)
        return answer((await library.get(body.source)).info(aliases=(body.alias,)))

    @routes.post("/keep/{name:path}", operation_id="keep_model", response_model=ModelInfo)
    async def keep(name: Name, body: KeepBody) -> Response:
        """Keep a model from clean-up, or set how long it stays in memory unused."""
        model = (await library.get(name)).info()
        if body.pinned is not None:
            model = await library.pin(name, pinned=body.pinned)
        if body.keep_alive is not None:
            model = await library.set_keep_alive(name, None if body.keep_alive == "default" else body.keep_alive)
        return answer(model)

    @routes.post("/verify", operation_id="verify_models", responses=STREAM, response_class=Response)
    async def verify(body: VerifyBody) -> Response:
        """Read every byte again: an event `file` for each file, at the end `result`, or `problem`."""
        for name in body.names:
            await library.get(name)  # what is not known is a 404, not an event
        return stream(_verifying(rooms, body.names, repair=body.repair))

    @routes.post("/refresh", operation_id="refresh_library", response_model=ModelList)
    async def refresh() -> Response:
        """Forget what is remembered and look again: another program changed something."""
        return answer(ModelList(models=tuple(await library.list(refresh=True))))


def _cleaning(routes: APIRouter, rooms: ServerRooms) -> None:
    library, cleaning = rooms.library, rooms.library.cleaning

    @routes.get("/usage", operation_id="disk_usage", response_model=UsageReport)
    async def usage() -> Response:
        """What models take on the disk."""
        return answer(await cleaning.usage())

    @routes.post("/prune/plan", operation_id="plan_prune", response_model=PrunePlan)
    async def plan(body: PrunePlanBody) -> Response:
        """What a clean-up would remove."""
        return answer(await cleaning.plan(older_than_days=body.older_than_days, max_bytes=body.max_bytes))

    @routes.post("/prune", operation_id="prune", response_model=Pruned)
    async def prune(body: PruneBody) -> Response:
        """Remove what was agreed on, as far as a clean-up may remove it now."""
        everything = await cleaning.plan(older_than_days=0)
        agreed = replace(
            everything,
            removals=tuple(one for one in everything.removals if one.name in body.models),
            leftovers=tuple(one for one in everything.leftovers if str(one.path) in body.leftovers),
            kept=(),
        )

        async def remove(name: str) -> int:
            return (await library.remove(name)).freed_bytes

        return answer(await cleaning.prune(agreed, remove))


def _carrying(routes: APIRouter, rooms: ServerRooms) -> None:
    carrying = rooms.library.carrying

    @routes.post("/export", operation_id="export_models", response_model=Carried)
    async def export(body: CarryBody) -> Response:
        """Copy models and their lock into a folder of the server's machine, every byte checked on its way."""
        plan = await carrying.export(body.names, body.place, dry_run=body.dry_run)
        names = tuple(model.name for model in plan.lock.models)
        return answer(Carried(folder=body.folder, models=names, total_bytes=plan.total_bytes, dry_run=body.dry_run))

    @routes.post("/import", operation_id="import_models", response_model=Carried)
    async def import_(body: CarryBody) -> Response:
        """Take in the models of a folder that an export wrote, every byte checked before a model appears."""
        names = await carrying.import_folder(body.place, body.names, dry_run=body.dry_run)
        return answer(Carried(folder=body.folder, models=tuple(names), total_bytes=None, dry_run=body.dry_run))


async def _verifying(rooms: ServerRooms, names: Sequence[str], *, repair: bool) -> AsyncGenerator[bytes]:
    loop = asyncio.get_running_loop()
    told: asyncio.Queue[CheckedFile | None] = asyncio.Queue()

    def on_file(model: str, check: FileCheck) -> None:  # from the thread that reads
        loop.call_soon_threadsafe(told.put_nowait, CheckedFile(model=model, check=check))

    work = asyncio.create_task(rooms.library.verify(names, repair=repair, on_file=on_file))
    work.add_done_callback(lambda _: told.put_nowait(None))
    try:
        while (checked := await told.get()) is not None:
            yield event("file", checked)
        failure = work.exception()
        if failure is not None:
            yield event("problem", problem_of(failure))
        else:
            yield event("result", Verifications(models=tuple(work.result())))
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
