"""What Litestar hands to a route's function, by name: the site, who asks, the parts of the path."""

from typing import Annotated

from litestar.di import NamedDependency
from litestar.params import FromPath, PathParameter, QueryParameter

from router.admin.identity import Identity
from router.admin.site import Site

TheSite = NamedDependency[Site]
Who = NamedDependency[Identity]
TextInPath = FromPath[str]
NUMBER_MOST = 2**53 - 1
"""Every reader of JSON agrees on it (RFC 8259, 6), and every database takes it."""
NumberInPath = Annotated[int, PathParameter(ge=0, le=NUMBER_MOST)]
NumberInQuery = Annotated[int | None, QueryParameter(ge=0, le=NUMBER_MOST)]
