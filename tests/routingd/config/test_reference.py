"""docs/configuration.md follows the schema, and so does the JSON Schema."""

from __future__ import annotations

import re
from pathlib import Path

from routingd.config.load import loads
from routingd.config.reference import reference
from routingd.config.schema import json_schema

DOCS = Path(__file__).parents[3] / "docs"


def test_the_page_is_what_the_schema_gives() -> None:
    written = (DOCS / "configuration.md").read_text()
    assert written == reference(), "run: python -m routingd.config.reference > docs/configuration.md"


def test_every_key_has_a_meaning() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \| (.*) \| (.*) \|$", reference(), re.M)
    assert len(rows) > 60
    assert [key for key, _, _, meaning in rows if not meaning] == []


def test_the_example_on_the_page_is_a_valid_configuration() -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", reference(), re.S)
    loaded = loads(example)
    assert loaded.warnings == ()
    assert str(next(iter(loaded.config.bgp.neighbors))) == "192.0.2.2"


def test_the_json_schema_has_the_keys_of_the_file() -> None:
    schema = json_schema()
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"router"}
    router = schema["$defs"]["Router"]
    assert set(router["properties"]) == {"name", "router-id", "asn", "engine"}
    assert router["properties"]["asn"]["maximum"] == 4294967295
