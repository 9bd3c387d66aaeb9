"""Whoever runs a server without a command line learns there what it is made of, and what to mend."""

from pathlib import Path

from paddock.security.api_keys import KeyTerms
from paddock.security.callers import Scope
from tests.server.running import served


async def test_versions_places_and_licences_are_told(tmp_path: Path) -> None:
    async with served(tmp_path) as server:
        told = (await server.client.get("/admin/about")).json()
        assert told["version"] == server.rooms.version
        assert (told["license"], told["database"]) == ("Apache-2.0", "SQLite")
        places = {place["name"]: place["path"] for place in told["places"]}
        assert places["Data"] == str(server.rooms.config.paths.data)
        licenses = {part["name"].lower(): part["license"] for part in told["parts"]}
        assert licenses["fastapi"] == "MIT"
        assert "sqlalchemy" in licenses
        assert "starlette" in licenses, "what parts need belongs to it, too"
        assert "paddock" not in licenses


async def test_the_findings_are_those_of_doctor_each_with_its_remedy(tmp_path: Path) -> None:
    async with served(tmp_path, HF_HUB_OFFLINE="1") as server:
        told = (await server.client.get("/admin/health")).json()
    findings = {finding["check"]: finding for finding in told["findings"]}
    assert {"versions", "settings", "folders", "disk", "device", "library", "stores"} <= set(findings)
    assert findings["hub"]["outcome"] == "note"
    assert [one for one in told["findings"] if one["outcome"] != "ok" and not one["remedy"]] == []
    assert told["ok"] == all(one["outcome"] != "problem" for one in told["findings"])


async def test_both_are_for_administrators(tmp_path: Path) -> None:
    """Paths of a machine are nobody else's business."""
    async with served(tmp_path) as server:
        made = await server.rooms.keys.add("ci", KeyTerms(scopes=frozenset({Scope.CHAT, Scope.LIBRARY})))
        for path in ("/admin/about", "/admin/health", "/admin/audit/live", "/admin/audit/summary"):
            assert (await server.client.get(path, headers={"x-api-key": made.secret})).status_code == 403
