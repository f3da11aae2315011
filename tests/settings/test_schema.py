"""The published schemas are those of the structs, and describe the files that are there."""

from pathlib import Path
from typing import Any

import tomli

from router.settings.schema import schema_texts, settings_schema, tenant_schema, write_schemas

CONFIG = Path(__file__).resolve().parents[2] / "config"


def test_published_schemas_are_not_stale() -> None:
    for name, text in schema_texts().items():
        published = (CONFIG / "schema" / name).read_text(encoding="utf-8")
        assert published == text, f"{name} is stale: run python -m router.settings.schema"


def test_schemas_are_written_by_name(tmp_path: Path) -> None:
    write_schemas(tmp_path / "schema")

    assert {path.name for path in (tmp_path / "schema").iterdir()} == set(schema_texts())


def test_descriptions_come_from_the_docstrings() -> None:
    rule = tenant_schema()["definitions"]["Rule"]["properties"]
    line = tenant_schema()["definitions"]["Line"]["properties"]

    assert rule["field"]["description"].startswith("The CRM's own name of the field")
    assert line["type"]["description"].startswith("Overrides the rule's field type"), (
        "inherited from Condition"
    )


def test_the_files_name_stands_for_the_id() -> None:
    assert tenant_schema()["definitions"]["Tenant"]["required"] == ["country", "default"]


def test_local_settings_may_leave_everything_out() -> None:
    definitions = settings_schema()["definitions"]

    assert "required" not in definitions["RouterSettings"]
    assert "host" in definitions["AsteriskServer"]["required"]


def test_every_key_of_the_sample_files_is_in_the_schema() -> None:
    for name, schema in (("tenants/acme.toml", tenant_schema()), ("default.toml", settings_schema())):
        root = schema["definitions"][schema["allOf"][0]["$ref"].rpartition("/")[2]]
        unknown = list(_unknown(tomli.loads((CONFIG / name).read_text(encoding="utf-8")), root, schema))
        assert not unknown, unknown


def _unknown(node: Any, shape: dict[str, Any], schema: dict[str, Any]) -> list[str]:
    """Keys that the schema does not have, following references and the first alternative that is a table."""
    for key in ("allOf", "anyOf"):
        if key in shape:
            return min((_unknown(node, part, schema) for part in shape[key]), key=len)
    if "$ref" in shape:
        return _unknown(node, schema["definitions"][shape["$ref"].rpartition("/")[2]], schema)
    if isinstance(node, list):
        return [name for item in node for name in _unknown(item, shape.get("items", {}), schema)]
    if not isinstance(node, dict) or "properties" not in shape:
        return []
    unknown = [key for key in node if key not in shape["properties"]]
    for key, item in node.items():
        unknown += _unknown(item, shape["properties"].get(key, {}), schema)
    return unknown
