"""The whole library over PostgreSQL: a team's servers share one database, and nothing may depend on SQLite."""

import pytest

from paddock.library.handbook import RegistryEntry
from tests.fakes.huggingface import HuggingFaceHub
from tests.fakes.postgres import postgres_server, postgres_url
from tests.library.models import mlx
from tests.library.rooms import Site

__all__ = ["postgres_server", "postgres_url"]


@pytest.mark.postgres
async def test_a_model_comes_is_changed_and_goes(site: Site, hub: HuggingFaceHub, postgres_url: str) -> None:
    """Every kind of row is written, read by the next process and deleted."""
    hub.add_repo("org/tiny", files=mlx())
    site.environment["PADDOCK_DATABASE__URL"] = postgres_url
    async with site.open() as library:
        await library.pull("org/tiny")
        await library.copy("org/tiny", "small")
        await library.pin("small", pinned=True)
        await library.handbook.add(RegistryEntry(name="mine", reference="org/tiny"))
        await library.handbook.save_template("greet", "Hello {{ name }}")
    async with site.open() as library:
        (model,) = await library.list()
        assert (model.name, model.aliases, model.pinned) == ("org/tiny", ("small",), True)
        assert (await library.plan("mine")).fetch_bytes == 0
        assert await library.handbook.render_template("greet", {"name": "pony"}) == "Hello pony"
        (job,) = await library.pulls.list()
        assert job.status == "complete"
        await library.remove("org/tiny")
        assert not await library.list()
