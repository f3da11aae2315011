"""Five hundred CRM answers and more that mean harm: by a field's value, a record's name, its address, its shape."""

from typing import Any

from tests.hostile.texts import FORGED, TEXTS

Item = dict[str, Any]
"""A record as the CRM's JSON has it."""

USUAL: Item = {
    "status": "gold",
    "tier": "silver",
    "id": "7",
    "name": "Anna Muster",
    "link": "https://crm.example/7",
}
SHAPES: tuple[Any, ...] = (
    None, True, 0, -1, 10**15, 1.5, [], {}, ["gold"] * 500, [["gold"]], {"status": "gold"}, [None, 1, "gold", {}],
    {"$ne": 1}, "gold" * 3_000, 2**63, -(2**63), 2**64,
)  # fmt: skip

RECORDS: tuple[Item, ...] = (
    *(USUAL | {"status": text} for text in (*TEXTS, *FORGED)),
    *(USUAL | {"name": text} for text in TEXTS),
    *(USUAL | {"link": text} for text in TEXTS),
    *(USUAL | {"link": f"https://crm.example/{text}"} for text in TEXTS),
    *(USUAL | {"id": text, "tier": text} for text in FORGED[::9]),
    *(USUAL | {name: shape} for shape in SHAPES for name in ("status", "name", "link")),
    *({text: "gold", "status": "gold"} for text in FORGED[::9]),
)
