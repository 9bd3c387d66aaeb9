"""`/admin/registry` and `/admin/templates`: models by short names, and prompts worth keeping."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from paddock.library.handbook import RegistryEntry, TemplateEntry
from paddock.server.rooms import ServerRooms
from paddock.server.routes.admin.answers import FAILURES, Body, answer
from paddock.server.routes.admin.shapes import RegistryList, RenderedTemplate, TemplateList

Name = Annotated[str, Path(max_length=200)]


class EntryBody(Body):
    reference: str = Field(max_length=2048)
    description: str | None = Field(default=None, max_length=2000)
    sha256: str | None = Field(default=None, max_length=64)


class TemplateBody(Body):
    text: str = Field(max_length=1_000_000)
    description: str | None = Field(default=None, max_length=2000)
    defaults: dict[str, str] = Field(default={})


class RenderBody(Body):
    variables: dict[str, Any] = Field(default={})


def router(rooms: ServerRooms) -> APIRouter:
    routes = APIRouter(responses=FAILURES)
    handbook = rooms.library.handbook

    @routes.get("/registry", operation_id="list_registry", response_model=RegistryList)
    async def list_registry() -> Response:
        """Models by short names: your own, and those that come with the package."""
        return answer(RegistryList(entries=tuple(await handbook.registry())))

    @routes.put("/registry/{name}", operation_id="add_registry_entry", response_model=RegistryEntry)
    async def add(name: Name, body: EntryBody) -> Response:
        """Add an entry of your own, or replace it."""
        entry = RegistryEntry(
            name=name, reference=body.reference, description=body.description, sha256=body.sha256, options={}
        )
        return answer(await handbook.add(entry))

    @routes.delete("/registry/{name}", operation_id="forget_registry_entry", response_model=RegistryList)
    async def forget(name: Name) -> Response:
        """Remove an entry of your own."""
        await handbook.forget(name)
        return answer(RegistryList(entries=tuple(await handbook.registry())))

    @routes.get("/templates", operation_id="list_templates", response_model=TemplateList)
    async def templates() -> Response:
        """Prompt templates."""
        return answer(TemplateList(templates=tuple(await handbook.templates())))

    @routes.get("/templates/{name}", operation_id="get_template", response_model=TemplateEntry)
    async def template(name: Name) -> Response:
        """One prompt template."""
        return answer(await handbook.template(name))

    @routes.put("/templates/{name}", operation_id="save_template", response_model=TemplateEntry)
    async def save(name: Name, body: TemplateBody) -> Response:
        """Keep a prompt template, or replace it."""
        return answer(
            await handbook.save_template(name, body.text, description=body.description, defaults=body.defaults)
        )

    @routes.delete("/templates/{name}", operation_id="delete_template", response_model=TemplateEntry)
    async def delete(name: Name) -> Response:
        """Remove a prompt template; the answer is what it was."""
        entry = await handbook.template(name)
        await handbook.delete_template(name)
        return answer(entry)

    @routes.post("/templates/{name}/render", operation_id="render_template", response_model=RenderedTemplate)
    async def render(name: Name, body: RenderBody) -> Response:
        """Fill in a prompt template."""
        return answer(RenderedTemplate(name=name, text=await handbook.render_template(name, body.variables)))

    return routes
