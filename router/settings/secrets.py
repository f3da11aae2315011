"""Secrets by reference: a file of settings says where a secret is, not what it is.

    password = { env = "ACME_CRM_PASSWORD" }
    password = { file = "/run/secrets/acme-crm" }
    password = { sealed = "MXJz…" }              what the page or the API sealed (`router.settings.sealed`)
    password = "in clear"                        works, and `crmroute check` warns of it

No message here ever holds a secret, nor a part of one.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from router.settings.errors import SecretMissing

MOST_BYTES = 65_536
SHAPES = 'a text, { env = "NAME" } or { file = "/path" }'


def resolve_secret(
    value: Any, environment: Mapping[str, str], what: str, unseal: Callable[[str], str] | None = None
) -> str:
    """Follow a reference to the secret's text. `what` names its use in messages ("acme: password of crm").

    A file's last line end is cut off. Without `unseal` nothing sealed is taken. Raises SecretMissing.
    """
    match value:
        case str():
            return value
        case {"env": str(name), **rest} if not rest:
            return _from_environment(name, environment, what)
        case {"file": str(name), **rest} if not rest:
            return _from_file(Path(name), what)
        case {"sealed": str(sealed), **rest} if not rest and unseal is not None:
            return unseal(sealed)
    raise SecretMissing(f"{what} must be {SHAPES}")


def _from_environment(name: str, environment: Mapping[str, str], what: str) -> str:
    text = environment.get(name, "")
    if not text:
        state = "empty" if name in environment else "not set"
        raise SecretMissing(f"{what}: the environment variable {name} is {state}")
    return text


def _from_file(path: Path, what: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not a path"
        raise SecretMissing(f"{what}: the file {path} cannot be read: {reason}") from error
    if len(raw) > MOST_BYTES:
        raise SecretMissing(
            f"{what}: the file {path} is larger than {MOST_BYTES} bytes, so it holds no secret"
        )
    return _text_of(raw, path, what)


def _text_of(raw: bytes, path: Path, what: str) -> str:
    try:
        text = raw.decode()
    except UnicodeDecodeError:
        # `from error` would show the secret's bytes in a traceback.
        raise SecretMissing(f"{what}: the file {path} is not UTF-8 text") from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        raise SecretMissing(f"{what}: the file {path} is empty")
    return secret
