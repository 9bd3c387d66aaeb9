"""People ship bundles of their own: a folder named in the settings is listed like the models that came with Paddock."""

from pathlib import Path

from paddock.library.carry.bundles import BUILTIN_FOLDER, make_bundle
from tests.library.rooms import Site


async def test_a_bundle_named_in_the_settings_is_listed_and_verified(site: Site, tmp_path: Path) -> None:
    """A team's product names its models by one setting, and gets list, show and verify for them."""
    model = tmp_path / "stallion"
    model.mkdir()
    for path in (BUILTIN_FOLDER / "foal").iterdir():
        (model / path.name).write_bytes(path.read_bytes())
    make_bundle([model], tmp_path / "bundle", name="stable")
    site.environment["PADDOCK_LIBRARY__BUNDLES"] = str(tmp_path / "bundle")
    async with site.open() as library:
        assert "stallion" in [model.name for model in await library.list()]
        (result,) = await library.verify(["stallion"])
        assert result.ok
