"""Lines of values in TOML texts: a corpus by hand, and generated documents whose lines are known."""

import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli
from hypothesis import given, settings
from hypothesis import strategies as st

from router.core.problems import Path as ValuePath
from router.settings.places import Places

REPOSITORY = Path(__file__).resolve().parents[2]


def leaves(node: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, Any]]:
    if isinstance(node, dict) and node:
        for key, item in node.items():
            yield from leaves(item, (*path, key))
    elif isinstance(node, list) and node:
        for index, item in enumerate(node):
            yield from leaves(item, (*path, index))
    else:
        yield path, node


# In each text every leaf's value is the number of its own line, or a text that begins with it.
CORPUS = {
    "tables": """\
        a = 1
        [b]
        c = 3
        [b.d]
        e = 5
        [f.g.h]
        i = 7
        [f]
        j = 9
        """,
    "arrays of tables": """\
        [[rules]]
        name = "2"
        [[rules.lines]]
        value = 4
        [[rules.lines]]
        value = 6
        [rules.outcomes]
        timeout = { option = "8" }
        [[rules]]
        name = "10"
        [[rules.lines]]
        value = 12
        [rules.lines.then]
        option = "14"
        """,
    "inline": """\
        one = { a = 1, b = { c = 1, "d e" = [1, 1] } }
        lines = [
          { value = 3, option = "3" },
          # a comment, with { and [ and "
          { value = 5, all = [ { x = 5 }, { y = 5 },
            { z = 6 } ] },
          7, 7,
          8,
        ]
        after = 10
        """,
    "keys": """\
        a.b.c = 1
        "quoted key".x = 2
        'literal.key' = 3
        "esc\\u0061ped" = 4
        a . b . d = 5
        "" = 6
        1234 = 7
        """,
    "texts": '''\
        a = "1 \\" # no comment ]"
        b = '2 " }'
        c = """3
        more = 4
        [not.a.table]
        \\""" still"""
        d = \'\'\'7
        x = " \'\'\'
        e = """9""\\
           """
        f = """11"" """
        g = """12"""""
        h = 13 # comment
        ''',
    "scalars": """\
        a = 1
        b = [ 2.0, 2e0 ]
        c = { d = 3, e = 3.0 }
        """,
}


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_leaf_of_the_corpus_is_found_on_its_line(name: str, ending: str) -> None:
    text = textwrap.dedent(CORPUS[name]).replace("\n", ending)
    places = Places(text)

    for path, value in leaves(tomli.loads(text)):
        said = int(float(str(value).split()[0].rstrip("\"'")))
        assert path in places, path
        assert places.line(path) == said, (path, value)


def test_the_nearest_thing_around_stands_for_what_is_not_there() -> None:
    places = Places('[[rules]]\nname = "a"\n\n[[rules]]\nname = "b"\nlines = [\n  { value = 1 },\n]\n')

    assert places.line(("rules", 1, "default")) == 4
    assert places.line(("rules", 1, "lines", 0, "operator")) == 7
    assert places.line(("rules", 1, "lines", 5)) == 6
    assert places.line(("numbers", 3)) == 1
    assert places.line(()) == 1


@pytest.mark.parametrize(
    "text", ["[", "a", "a = ", "[[x]", "a = {", 'a = "\\', "= 1", "\x00", "a = [" * 3000, "🙂"]
)
def test_what_is_no_toml_does_not_raise(text: str) -> None:
    assert Places(text).line(("a", "b")) == 1


def test_the_line_of_every_leaf_of_the_sample_files_mentions_its_key() -> None:
    for name in ("default.toml", "tenants/acme.toml"):
        text = (REPOSITORY / "config" / name).read_text(encoding="utf-8")
        places, lines = Places(text), text.splitlines()
        for path, _ in leaves(tomli.loads(text)):
            key = next(part for part in reversed(path) if isinstance(part, str))
            assert path in places, path
            assert key in lines[places.line(path) - 1] or isinstance(path[-1], int), path


class _Tables(list[Any]):
    """Written as an array of tables; any other list is written inline."""


keys = st.text("abcdefgh.-_ é\"\\#[]{}='", min_size=1, max_size=8)
texts = st.text("ab \"'\\#[]{}=,\n.é", max_size=12)
scalars = st.one_of(st.integers(-1000, 1000), st.booleans(), texts, st.floats(-5, 5, allow_nan=False))
inline_values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(keys, inner, max_size=3)),
    max_leaves=6,
)
tables = st.recursive(
    st.dictionaries(keys, inline_values, max_size=3),
    lambda inner: st.one_of(
        st.dictionaries(keys, inner, max_size=3),
        st.dictionaries(keys, st.lists(inner, min_size=1, max_size=3).map(_Tables), max_size=2),
    ),
    max_leaves=8,
)


class _Writer:
    """Writes TOML and remembers the line on which each leaf begins."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self.text = ""
        self.lines: dict[ValuePath, int] = {}

    def table(self, table: dict[str, Any], path: ValuePath) -> None:
        plain = {key: value for key, value in table.items() if not _has_header(value)}
        for key, value in plain.items():
            self.text += self._blank() + f"{_key(key)} = "
            self._value(value, (*path, key))
            self.text += self._draw(st.sampled_from(["\n", ' # it\'s [a] "comment"\n', "\n\n"]))
        for key, value in table.items():
            if isinstance(value, _Tables):
                for index, item in enumerate(value):
                    self._header("[[", (*path, key), "]]")
                    self.table(item, (*path, key, index))
            elif key not in plain:
                self._header("[", (*path, key), "]")
                self.table(value, (*path, key))

    def _header(self, left: str, path: ValuePath, right: str) -> None:
        named = ".".join(_key(part) for part in path if isinstance(part, str))
        self.text += f"{self._blank()}{left}{named}{right}\n"

    def _blank(self) -> str:
        return str(self._draw(st.sampled_from(["", "  ", "\n", "# [x]\n"])))

    def _value(self, value: Any, path: ValuePath) -> None:
        self.lines[path] = self.text.count("\n") + 1
        match value:
            case dict():
                self._inside("{", value.items(), "}", path)
            case list():
                self._inside("[", enumerate(value), "]", path)
            case str() if "\n" in value and "'''" not in value and not value.endswith("'"):
                # A line end after the opening quotes does not belong to the text.
                self.text += f"'''\n{value}'''"
            case str():
                self.text += _quoted(value)
            case bool():
                self.text += "true" if value else "false"
            case _:
                self.text += repr(value)

    def _inside(self, left: str, items: Any, right: str, path: ValuePath) -> None:
        gap = "\n" if left == "[" and self._draw(st.booleans()) else " "
        self.text += left
        for number, (key, item) in enumerate(items):
            self.text += ("," if number else "") + gap
            if isinstance(key, str):
                self.text += f"{_key(key)} = "
            self._value(item, (*path, key))
        self.text += gap + right


def _has_header(value: Any) -> bool:
    return isinstance(value, _Tables) or (isinstance(value, dict) and any(map(_has_header, value.values())))


def _key(part: Any) -> str:
    bare = str(part).isascii() and str(part).replace("-", "a").replace("_", "a").isalnum()
    return str(part) if bare else _quoted(str(part))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, dict[ValuePath, int]]:
    writer = _Writer(draw)
    writer.table(draw(tables), ())
    return writer.text, writer.lines


@given(documents())
@settings(max_examples=300, deadline=None)
def test_every_leaf_of_a_generated_document_is_found_on_its_line(
    document: tuple[str, dict[ValuePath, int]],
) -> None:
    text, lines = document
    data = tomli.loads(text)
    places = Places(text)

    for path, value in leaves(data):
        if path and not isinstance(value, dict):
            assert places.line(path) == lines[path], path
