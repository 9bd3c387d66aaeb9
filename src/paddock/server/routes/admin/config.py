"""`/admin/config`: the settings in force, where each comes from, and changes to the user's file."""

import asyncio
import logging
from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from paddock.config.edit import set_value, unset_value
from paddock.config.lookup import all_values, get_value
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, Body, answer
from paddock.server.routes.admin.shapes import SettingChanged, SettingLine, SettingList

Key = Annotated[str, Path(max_length=300, description="A dotted key, like `disk.factor`.")]


class ValueBody(Body):
    value: str = Field(max_length=4096, description="As it would stand in the file.")


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(prefix="/config", responses=FAILURES)
    file = rooms.config.paths.config_file

    @routes.get("", operation_id="show_config", response_model=SettingList)
    async def show() -> Response:
        """Every setting in force. Secrets are hidden."""
        lines = (SettingLine(key=one.key, value=one.value, source=one.source) for one in all_values(rooms.config))
        return answer(SettingList(settings=tuple(lines)))

    @routes.get("/{key}", operation_id="get_setting", response_model=SettingLine)
    async def get(key: Key) -> Response:
        """One setting."""
        found = get_value(rooms.config, key)
        return answer(SettingLine(key=found.key, value=found.value, source=found.source))

    @routes.put("/{key}", operation_id="set_setting", response_model=SettingChanged)
    async def put(key: Key, body: ValueBody) -> Response:
        """Write a setting to the user's file. What would break a rule is refused before anything is written."""
        await asyncio.to_thread(set_value, file, key, body.value)
        return answer(_changed(key, body.value, str(file)))

    @routes.delete("/{key}", operation_id="unset_setting", response_model=SettingChanged)
    async def delete(key: Key) -> Response:
        """Take a setting out of the user's file, so that its default holds."""
        await asyncio.to_thread(unset_value, file, key)
        return answer(_changed(key, None, str(file)))

    return routes


def _changed(key: str, value: Any, source: str) -> SettingChanged:
    applied = key == "log.level" and value is not None
    if applied:
        logging.getLogger().setLevel(str(value).upper())
    return SettingChanged(key=key, value=value, source=source, applied=applied)
