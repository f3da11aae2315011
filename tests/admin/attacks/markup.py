"""What a page is made of, and what it says: read by a parser that knows nothing of templates."""

from collections import Counter
from html.parser import HTMLParser
from urllib.parse import urlsplit

ADDRESSES = frozenset({"href", "src", "action", "formaction", "xlink:href", "hx-get", "hx-post", "data"})


class Markup(HTMLParser):
    """`shape` counts elements by name and attributes; `said` has every text, those in attributes too."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.shape: Counter[tuple[str, ...]] = Counter()
        self.links: set[tuple[str, str, str]] = set()
        """The attribute, the scheme and the host of every address."""
        self.others: list[str] = []
        """Comments and declarations, the doctype left out."""
        self._said: list[str] = []
        self._csrf = ""
        self.feed(page)
        self.close()

    @property
    def said(self) -> str:
        return "\n".join(self._said)

    @property
    def handlers(self) -> set[str]:
        names = {name for one in self.shape for name in one[1:]}
        return {name for name in names if name.startswith(("on", "hx-on", "data-hx-on", "style"))}

    @property
    def csrf(self) -> str:
        """The token of the page's first form; empty where it has none."""
        return self._csrf

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.shape[(tag, *sorted(name for name, _ in attrs))] += 1
        for name, value in attrs:
            if name in ADDRESSES:
                parts = urlsplit(value or "")
                self.links.add((name, parts.scheme, parts.netloc))
            self._said.append(value or "")
        if ("name", "csrf") in attrs:
            self._csrf = dict(attrs)["value"] or ""

    def handle_data(self, data: str) -> None:
        self._said.append(data)

    def handle_comment(self, data: str) -> None:
        self.others.append(data)

    def handle_pi(self, data: str) -> None:
        self.others.append(data)

    def unknown_decl(self, data: str) -> None:
        self.others.append(data)
