"""Secrets in an integration's settings: resolved once, and never shown by accident.

A connector declares a secret setting as `Secret`. When settings are read, a text or a reference
(`{ env = "NAME" }`, `{ file = "/path" }`, `{ sealed = "…" }`) becomes one. Printing, formatting or logging it
shows `***`; only `reveal()` gives the text, to put it into a request.

A reference to the environment or a file is followed wherever it points: whoever may write one may read what
the worker can read. So the page and the API take them from providers alone; tenants' secrets are sealed.
"""

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import msgspec

from router.core.display import one_line
from router.core.problems import Path, path_text
from router.settings.errors import SecretMissing
from router.settings.secrets import resolve_secret
from workers.errors import IntegrationUnusable

S = TypeVar("S")
MASK = "***"


class Secret:
    """A text that does not show itself."""

    __slots__ = ("_text",)

    def __init__(self, text: str = "") -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return f"Secret({MASK!r})"

    def __str__(self) -> str:
        return MASK

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not packed")


def read_settings(
    given: Mapping[str, Any],
    type_: type[S],
    environment: Mapping[str, str],
    what: str,
    unseal: Callable[[str], str] | None = None,
) -> S:
    """An integration's settings as its connector declares them. Raises IntegrationUnusable.

    `what` names the integration in messages.
    """

    def decode(wanted: type, value: Any) -> Any:
        if wanted is not Secret:
            raise NotImplementedError(wanted)
        return Secret(resolve_secret(value, environment, what, unseal))

    try:
        return msgspec.convert(dict(given), type=type_, strict=True, dec_hook=decode)
    except SecretMissing as missing:
        raise IntegrationUnusable(f"a secret is missing: {missing}") from missing
    except msgspec.ValidationError as refused:
        # `from None`: a traceback could show the value that was refused, and it may be a secret.
        raise IntegrationUnusable(f"{what} cannot be used: {_told(refused)}") from None


def _told(refused: msgspec.ValidationError) -> str:
    """msgspec's own words, with the place as people count."""
    text, _, place = str(refused).partition(" - at `$")
    path: Path = tuple(part for part in place.rstrip("`").strip(".").split(".") if part)
    return one_line(f"{path_text(path)}: {text}" if path else text, 300)
