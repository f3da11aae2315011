"""What Litestar hands to a route's function, by name: the site, who asks, the parts of the path."""

from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from router.admin.identity import Identity
from router.admin.site import Site

TheSite = NamedDependency[Site]
Who = NamedDependency[Identity]
TextInPath = FromPath[str]
NumberInPath = FromPath[int]
NumberInQuery = FromQuery[int | None]
