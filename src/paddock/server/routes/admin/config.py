"""`/admin/config`: the settings in force, where each comes from, and changes to the user's file."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from paddock.config.edit import set_value, set_values, unset_value
from paddock.config.lookup import all_values, get_value
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, Body, answer
from paddock.server.routes.admin.shapes import SettingChanged, SettingLine, SettingList, SettingsChanged

Key = Annotated[str, Path(max_length=300, description="A dotted key, like `disk.factor`.")]


class KeyBody(Body):
    key: str = Field(max_length=300, description="The setting to tell of.")


class ValueBody(Body):
    value: str = Field(max_length=4096, description="As it would stand in the file.")


class ValuesBody(Body):
    values: dict[str, str] = Field(min_length=1, max_length=100, description="Each as it would stand in the file.")


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/config", responses=FAILURES)
    file = rooms.config.paths.config_file

    @routes.get("", operation_id="show_config", response_model=SettingList)
    async def show() -> Response:
        """Every setting in force. Secrets are hidden."""
        lines = (
            SettingLine(key=one.key, value=one.value, source=one.source) for one in all_values(rooms.in_force.config)
        )
        return answer(SettingList(settings=tuple(lines)))

    @routes.patch("", operation_id="set_settings", response_model=SettingsChanged)
    async def patch(body: ValuesBody) -> Response:
        """Write several settings to the user's file, all or none, and let them hold together."""
        await asyncio.to_thread(set_values, file, body.values)
        return answer(SettingsChanged(settings=tuple([await changed(key) for key in body.values])))

    @routes.get("/{key}", operation_id="get_setting", response_model=SettingLine)
    async def get(key: Key) -> Response:
        """One setting."""
        found = get_value(rooms.in_force.config, key)
        return answer(SettingLine(key=found.key, value=found.value, source=found.source))

    @routes.put("/{key}", operation_id="set_setting", response_model=SettingChanged)
    async def put(key: Key, body: ValueBody) -> Response:
        """Write a setting to the user's file. What would break a rule is refused before anything is written.

        Limits of the pool, options of answers and the log's level hold at once; the answer says so.
        """
        await asyncio.to_thread(set_value, file, key, body.value)
        return answer(await changed(key))

    @routes.post("/reread", operation_id="reread_settings", response_model=SettingChanged)
    async def reread(body: KeyBody) -> Response:
        """Take up what somebody else has written to the settings files, and tell what became of one setting."""
        return answer(await changed(body.key))

    @routes.delete("/{key}", operation_id="unset_setting", response_model=SettingChanged)
    async def delete(key: Key) -> Response:
        """Take a setting out of the user's file, so that its default holds."""
        await asyncio.to_thread(unset_value, file, key)
        return answer(await changed(key))

    async def changed(key: str) -> SettingChanged:
        taken = await rooms.in_force.take_up(key)
        return SettingChanged(key=key, value=taken.value, source=taken.source, applied=taken.applied, note=taken.note)

    return routes
