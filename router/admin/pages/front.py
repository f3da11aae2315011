"""What every page's function is handed beside the site: the templates, and who reads."""

from typing import Any

from litestar import Response
from litestar.di import NamedDependency
from msgspec import Struct

from router.admin.authenticator import Authenticator
from router.admin.identity import Identity
from router.admin.pages.reading import AnyRequest, form_of, reader_of
from router.admin.pages.rendering import Pages, Reader
from router.admin.pages.streams import Streams


class Blank(dict[str, str]):
    """Fields of a form, or what is wrong with them: what is not there is empty."""

    def __missing__(self, _name: str) -> str:
        return ""


class Visit(Struct, frozen=True):
    """One request of somebody who is signed in."""

    reader: Reader
    identity: Identity
    fields: Blank
    """What a form of ours sent; empty for a page."""
    pages: Pages
    query: dict[str, str]

    def answer(self, template: str, status: int = 200, **told: Any) -> Response[str]:
        return self.pages.answer(template, self.reader, status, **told)


TheVisit = NamedDependency[Visit]


class Front(Struct, frozen=True):
    pages: Pages
    authenticator: Authenticator
    streams: Streams
    single: str | None = None
    """Of the button that leads to the identity provider; None where there is none."""

    async def visit(self, request: AnyRequest) -> Visit:
        """Raises SignInNeeded, ApiError."""
        reader = await reader_of(request, self.authenticator)
        if reader.identity is None:
            raise AssertionError("a reader that is signed in is somebody")
        is_form = request.method != "GET"
        fields = Blank(await form_of(request, self.authenticator) if is_form else {})
        query = {str(name): str(value) for name, value in request.query_params.items()}
        return Visit(reader, reader.identity, fields, self.pages, query)


TheFront = NamedDependency[Front]
