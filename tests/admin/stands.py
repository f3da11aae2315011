"""Applications that serve one test's site after the other: one takes longer to build than most tests.

A test has its own while it runs; two at the same time have two.
"""

from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from router.admin.app import build_app
from router.admin.authentication import Authenticate
from router.admin.authenticator import Authenticator
from router.admin.pages.routes import page_side
from router.admin.site import Site

NOBODY: Any = None


class Stand:
    """`app` serves `site`, with the pages and their sign-in unless `authenticate` is given."""

    def __init__(self, authenticate: Authenticate | None, single: str | None) -> None:
        self.site: Site = NOBODY
        self._authenticator = Authenticator(NOBODY, is_encrypted=False)
        pages = None if authenticate else page_side(self._authenticator, single=single)
        self.app: Any = build_app(lambda: self.site, authenticate or self._authenticator, pages=pages)

    def put(self, site: Site) -> None:
        self.site = site
        self._authenticator._accounts = site.accounts


_free: dict[tuple[Authenticate | None, str | None], list[Stand]] = defaultdict(list)


@contextmanager
def standing(site: Site, authenticate: Authenticate | None = None) -> Iterator[Any]:
    """An application of this site."""
    kind = (authenticate, site.issuer.settings.label if site.issuer else None)
    stand = _free[kind].pop() if _free[kind] else Stand(*kind)
    stand.put(site)
    try:
        yield stand.app
    finally:
        _free[kind].append(stand)
