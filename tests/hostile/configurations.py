"""Five hundred configurations and more of a tenant who means harm: one text of his in every place he writes.

A configuration is what his file or the API holds, as plain data.
"""

import copy
from collections.abc import Iterator
from typing import Any

import tomli_w

from tests.hostile.texts import FORGED, TEXTS

Configuration = dict[str, Any]
Place = tuple[str | int, ...]

USUAL: Configuration = {
    "country": "CH",
    "zone": "Europe/Zurich",
    "name": "Acme",
    "default": {"destination": "queue", "option": "reception"},
    "numbers": [{"did": "0445550001", "rule": "Sales"}],
    "ivr_entries": [{"name": "account", "rule": "Account"}],
    "integrations": [
        {
            "name": "crm",
            "connector": "custom",
            "settings": {"url": "https://crm.example/lookup", "parameters": {"caller": "caller"}},
        }
    ],
    "rules": [
        {
            "name": "Sales",
            "field": "status",
            "source": {"integration": "crm", "modules": ["Contacts"]},
            "default": {"destination": "queue", "option": "desk"},
            "lines": [
                {"operator": "=", "value": "gold", "destination": "queue", "option": "gold"},
                {
                    "operator": "matches",
                    "value": "^s",
                    "field": "tier",
                    "destination": "playback",
                    "option": "hello",
                    "then": {"destination": "voicemail", "option": "100"},
                },
            ],
            "outcomes": {"not_found": {"destination": "extension", "option": "100"}},
        },
        {
            "name": "Account",
            "location": "ivr",
            "greeting": {"sound": "acme/your-number", "digits_field": "account_no"},
            "source": {"integration": "crm"},
            "field": "status",
            "default": {"destination": "external", "option": "+41445550009"},
        },
    ],
}

PLACES: tuple[Place, ...] = (
    ("default", "option"),
    ("rules", 0, "default", "option"),
    ("rules", 0, "lines", 0, "option"),
    ("rules", 0, "lines", 1, "then", "option"),
    ("rules", 0, "outcomes", "not_found", "option"),
    ("rules", 1, "greeting", "sound"),
    ("rules", 0, "lines", 0, "value"),
    ("rules", 0, "field"),
    ("numbers", 0, "did"),
    ("ivr_entries", 0, "name"),
)
"""Where a text of a tenant's could come closest to the dialplan."""


def _with(place: Place, text: str) -> Configuration:
    made = copy.deepcopy(USUAL)
    node: Any = made
    for part in place[:-1]:
        node = node[part]
    node[place[-1]] = text
    return made


def _made() -> Iterator[Configuration]:
    for place in PLACES:
        for text in TEXTS:
            yield _with(place, text)
    for number, text in enumerate(FORGED):
        yield _with(PLACES[number % len(PLACES)], text)


CONFIGURATIONS: tuple[Configuration, ...] = tuple(_made())


def as_toml(configuration: Configuration) -> bytes:
    """As the tenant's file has it; a half of a character cannot stand in one, and becomes a sign that can."""
    return tomli_w.dumps(configuration).encode("utf-8", "replace")
