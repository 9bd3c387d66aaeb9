"""The reference is the schema in words; out of date it would be worse than none."""

import json
from pathlib import Path

import pytest

from paddock.config.keys import joined, leaves
from paddock.config.reference import render_json_schema, render_reference

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "reference"
REMEDY = "Write it anew: python -m paddock.config.reference docs/reference"


@pytest.mark.parametrize(
    ("name", "render"), [("configuration.md", render_reference), ("config.schema.json", render_json_schema)]
)
def test_the_page_is_what_the_schema_says(name: str, render) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == render(), REMEDY


def test_every_setting_is_described() -> None:
    page = render_reference()
    for key, leaf in leaves():
        assert f"| `{joined(key)}`" in page
        assert leaf.description, key
        assert leaf.rule.text, key
        assert leaf.rule.remedy, key


def test_the_json_schema_shows_no_secret() -> None:
    schema = json.loads(render_json_schema())
    assert "endpoint" in schema["$defs"]["Hub"]["properties"]
    assert not {"token", "kaggle_key", "kaggle_token"} & set(schema["$defs"]["Hub"]["properties"])
