"""From a template and what it tells to a page: escaped throughout, in the reader's language."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from litestar import Response
from msgspec import Struct

from router.admin.identity import Identity
from router.admin.pages import labels
from router.admin.pages.languages import LANGUAGES, Language
from router.core.identities import TenantId
from router.core.roles import Permission, may

HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
}
"""Nothing from elsewhere and nothing inline: a text of a caller or a CRM on a page stays a text."""


class Item(Struct, frozen=True):
    """Of the menu."""

    href: str
    text: str
    is_here: bool


class Reader(Struct, frozen=True, kw_only=True):
    """Who reads the page, and how."""

    language: Language
    identity: Identity | None
    csrf: str
    path: str
    """Of the page, for the mark in the menu and for the way back after signing in."""
    tenant: TenantId | None = None
    """Whose pages these are; None on those of the whole installation."""

    def may(self, permission: Permission) -> bool:
        return self.identity is not None and may(self.identity.role, permission)

    @property
    def is_provider(self) -> bool:
        return self.identity is not None and self.identity.tenant is None


def make_environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("router.admin", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.globals |= {"languages": LANGUAGES, "Permission": Permission, "labels": labels}
    return environment


class Pages:
    """The templates, ready to be filled in."""

    def __init__(self) -> None:
        self._environment = make_environment()

    def answer(self, template: str, reader: Reader, status: int = 200, **told: Any) -> Response[str]:
        text = self._text(template, reader, told)
        return Response(text, status_code=status, headers=HEADERS, media_type="text/html; charset=utf-8")

    def fragment(self, template: str, reader: Reader, **told: Any) -> str:
        """A part of a page, for one that is open."""
        return self._text(template, reader, told)

    def _text(self, template: str, reader: Reader, told: Mapping[str, Any]) -> str:
        language = reader.language
        own = {
            "reader": reader,
            "language": language,
            "menu": _menu(reader),
            "_": language.text,
            "counted": language.counted,
            "translated": language.labels,
            "named": _named,
            "crm_name": language.crm_name,
            "waited": waited,
        }
        return self._environment.get_template(template).render({**told, **own})


def _named(names: Iterable[str]) -> list[tuple[str, str]]:
    """Options of a choice that are called what they are."""
    return [(name, name) for name in names]


def _menu(reader: Reader) -> Sequence[Item]:
    language = reader.language
    items: list[tuple[str, str]] = []
    if reader.tenant is not None:
        items.append((f"/t/{reader.tenant}", language.text("Overview")))
        items.append((f"/t/{reader.tenant}/live", language.text("Live calls")))
        items.append((f"/t/{reader.tenant}/integration", language.text("Integration")))
        items.append((f"/t/{reader.tenant}/routing", language.text("Routing")))
        items.append((f"/t/{reader.tenant}/numbers", language.text("Numbers")))
        items.append((f"/t/{reader.tenant}/calls", language.text("Calls")))
        items.append((f"/t/{reader.tenant}/settings", language.text("Settings")))
    if reader.is_provider:
        items.append(("/overview", language.text("Installation")))
        if reader.tenant is None:
            items.append(("/live", language.text("Live calls")))
        items.append(("/tenants", language.text("Tenants")))
        items.append(("/servers", language.text("Asterisk servers")))
    if reader.may(Permission.MANAGE_USERS):
        items.append(("/users", language.text("Users")))
        items.append(("/account/tokens", language.text("API tokens")))
    if reader.may(Permission.SEE_AUDIT):
        items.append(("/audit", language.text("Audit")))
    return [Item(href, text, _is_here(reader, href)) for href, text in items]


def _is_here(reader: Reader, href: str) -> bool:
    """The tenant's overview stands above all of its pages, and is none of them."""
    return reader.path == href if href == f"/t/{reader.tenant}" else is_below(reader.path, href)


def waited(seconds: float) -> str:
    """`4 s`, `3 min 05 s`, `52 h 07 min`: units that both languages write so; `live.js` does the same."""
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    return f"{whole // 3600} h {whole // 60 % 60:02} min"


def is_below(path: str, href: str) -> bool:
    return path == href or path.startswith(f"{href}/")
