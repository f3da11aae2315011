"""Zendesk's search: terms `key:value` with spaces in between (Zendesk Support search reference).

Nothing tells of an escape inside double quotes, so the signs that might end a quoted text, or widen it, are
left out of it; what comes back is compared by the connector.

Keys are checked before they come here (`workers.connectors.names`).
"""

SHORTEST = 7
"""Digits that mean somebody, when anything may stand before them."""
TYPES = {"users": "type:user role:end-user", "organizations": "type:organization"}


def quoted(text: str) -> str:
    """A text as one value, in double quotes: without `"`, `*`, a backslash and control signs."""
    return '"' + "".join(sign for sign in text if sign.isprintable() and sign not in '"*\\') + '"'


def by_phone(digits: str) -> str:
    """Digits only, with a wildcard in front that spans whatever else a number begins with."""
    plain = "".join(sign for sign in digits if sign in "0123456789")
    wildcard = "*" if len(plain) >= SHORTEST else ""
    return f"{TYPES['users']} phone:{wildcard}{plain}"


def by_field(module: str, key: str, text: str) -> str:
    return f"{TYPES[module]} {key}:{quoted(text)}"
