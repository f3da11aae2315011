"""The sentences that the code tells, read from its source: what the French catalogue has to know.

An f-string becomes a template: what it fills in is a place, `{name}`, called as in the code. Local names,
module constants, conditional expressions, sums and functions that return texts are followed. What cannot be
followed is named, for a test to hold against a short list.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from importlib.resources import files
from itertools import product
from pathlib import Path

from babel.messages.pofile import read_po
from msgspec import Struct

ROUTER = Path(str(files("router")))
MODULES = (
    "core/problems.py",
    "core/check.py",
    "core/checks/*.py",
    "core/number_lists.py",
    "core/readings.py",
    "core/values.py",
    "settings/shapes.py",
    "settings/documents.py",
    "settings/tenant_files.py",
    "records/*.py",
    "ami/versions.py",
    "admin/*.py",
    "admin/pages/*.py",
)
"""Where the sentences come from that a page may show."""
Tellers = Mapping[str, tuple[int | str, ...]]
TELLERS: Tellers = {
    "error": (1, 2),
    "warning": (1, 2),
    "RowProblem": (1, 2),
    "Conflict": (0,),
    "StillUsed": (0,),
    "Outdated": (0,),
    "ManagedByFiles": (0,),
    "NotFound": (0,),
    "NotComparable": (0,),
    "ApiError": (2,),
    "Verdict": (1,),
}
"""The arguments that are sentences, by position or name, by the name of what is called."""
OWN_TELLERS: Mapping[str, Tellers] = {
    "core/number_lists.py": {"_refused": (0, 1), "_refuse": (1, 2)},
    "settings/shapes.py": {"_wrong_kind": (1, 3)},
}
"""Those of one module."""
EMPTY_END = re.compile(r" \{\w+\}$")
"""What is stripped may be all that a place at the end leaves of it."""
DEEPEST = 6


class NotFollowed(Exception):
    """An expression of which the source does not tell the text."""


class Found(Struct, frozen=True):
    templates: frozenset[str]
    not_followed: frozenset[str]
    """As `checks/rules.py: why[0]`."""


def find_sentences() -> Found:
    paths = [path for pattern in MODULES for path in sorted(ROUTER.glob(pattern))]
    return found_in(Sources(ROUTER, paths, TELLERS, OWN_TELLERS))


def found_in(sources: "Sources") -> Found:
    templates: set[str] = set()
    not_followed: set[str] = set()
    for path, function, argument in sources.told():
        try:
            templates.update(sources.texts(argument, path, function))
        except NotFollowed:
            not_followed.add(f"{path.relative_to(sources.root)}: {ast.unparse(argument)}")
    longer = {text for text in templates if text.replace("}…", "}") in templates - {text}}  # one, cut short
    return Found(frozenset(templates - longer - {""}), frozenset(not_followed))


def catalogue(context: str) -> Mapping[str, str]:
    """The French by the English, as the catalogue has them."""
    with (ROUTER / "admin/locale/fr.po").open("rb") as file:
        read = read_po(file, locale="fr")
    return {str(one.id): str(one.string) for one in read if one.id and one.context == context}


class Sources:
    """Modules below `root`, and what is called there with sentences: see TELLERS."""

    def __init__(self, root: Path, paths: list[Path], tellers: Tellers, own: Mapping[str, Tellers]) -> None:
        self.root = root
        self._tellers, self._own = tellers, own
        self._trees = {path: ast.parse(path.read_text()) for path in paths}
        self.constants: dict[tuple[Path, str], ast.expr] = {}
        self._functions: dict[tuple[Path, str], ast.FunctionDef] = {}
        for path, tree in self._trees.items():
            for node in tree.body:
                if isinstance(node, ast.FunctionDef):
                    self._functions[path, node.name] = node
                for name, value in _assigned(node):
                    self.constants[path, name] = value

    def told(self) -> Iterator[tuple[Path, ast.AST, ast.expr]]:
        """Each sentence: its module, the function around it, its expression."""
        for path, tree in self._trees.items():
            own = {**self._tellers, **self._own.get(str(path.relative_to(self.root)), {})}
            for function, call in _calls(tree):
                named = {one.arg: one.value for one in call.keywords}
                for place in own.get(name_of_called(call), ()):
                    if isinstance(place, str):
                        yield from ((path, function, named[place]) for _ in range(place in named))
                    elif place < len(call.args):
                        yield path, function, call.args[place]

    def texts(self, expression: ast.expr, path: Path, function: ast.AST, depth: int = 0) -> list[str]:
        """Every text that it may be. Raises NotFollowed."""
        if depth > DEEPEST:
            raise NotFollowed

        def deeper(one: ast.expr) -> list[str]:
            return self.texts(one, path, function, depth + 1)

        match expression:
            case ast.Constant(value=str(text)):
                return [text]
            case ast.JoinedStr(values=parts):
                return _joined([self._part(one, deeper) for one in parts])
            case ast.IfExp(body=body, orelse=other):
                return deeper(body) + deeper(other)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                return _joined([deeper(left), deeper(right)])
            case ast.Call(func=ast.Attribute(value=inner, attr="strip"), args=[]):
                texts = deeper(inner)
                return [*texts, *(EMPTY_END.sub("", text) for text in texts)]
            case ast.Call(func=ast.Name(id=name)):
                return self._returned(path, name, depth)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=module), attr=name)):
                where = next((one for one in self._trees if one.stem == module), path)
                return self._returned(where, name, depth)
            case ast.Name(id=name):
                return self._named(name, path, function, depth)
        raise NotFollowed

    def _part(self, part: ast.expr, deeper: Callable[[ast.expr], list[str]]) -> list[str]:
        if not isinstance(part, ast.FormattedValue):
            return deeper(part)
        if part.format_spec is None:
            try:
                return deeper(part.value)
            except NotFollowed:
                pass
        return [f"{{{_place(part.value)}}}"]

    def _named(self, name: str, path: Path, function: ast.AST, depth: int) -> list[str]:
        own = [value for node in ast.walk(function) for key, value in _assigned(node) if key == name]
        if own and not isinstance(function, ast.Module):
            return [text for one in own for text in self.texts(one, path, function, depth + 1)]
        where = self.where(self.constants, path, name)
        return self.texts(self.constants[where, name], where, self._trees[where], depth + 1)

    def _returned(self, path: Path, name: str, depth: int) -> list[str]:
        where = self.where(self._functions, path, name)
        function = self._functions[where, name]
        returned = [node.value for node in ast.walk(function) if isinstance(node, ast.Return) and node.value]
        texts = (text for one in returned for text in self.texts(one, where, function, depth + 1))
        return [text for text in texts if text]

    @staticmethod
    def where(known: Mapping[tuple[Path, str], object], path: Path, name: str) -> Path:
        """The module's own, or the one that it imports. Raises NotFollowed."""
        found = [where for where, other in known if other == name and (where == path or name[0] != "_")]
        if path in found:
            return path
        if len(found) != 1:
            raise NotFollowed
        return found[0]


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    match node:
        case ast.Assign(targets=[ast.Name(id=name)], value=value):
            yield name, value
        case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
            yield name, value


def _calls(tree: ast.Module) -> Iterator[tuple[ast.AST, ast.Call]]:
    """Each call with the outermost function around it, or the module."""

    def walk(node: ast.AST, function: ast.AST) -> Iterator[tuple[ast.AST, ast.Call]]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Call):
                yield function, child
            is_outermost = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) and function is tree
            yield from walk(child, child if is_outermost else function)

    yield from walk(tree, tree)


def name_of_called(call: ast.Call) -> str:
    match call.func:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=ast.Name(id="self"), attr=name):
            return name
        case ast.Attribute(value=ast.Name(id=owner), attr=name):
            return f"{owner}.{name}"
    return ""


def _joined(parts: list[list[str]]) -> list[str]:
    """Every way to join them; a place that comes again gets a number."""
    return ["".join(_numbered(chosen)) for chosen in product(*parts)]


def _numbered(parts: tuple[str, ...]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for part in parts:
        is_place = part.startswith("{") and part.endswith("}") and part[1:-1].isidentifier()
        seen[part] = seen.get(part, 0) + 1
        yield f"{part[:-1]}_{seen[part]}}}" if is_place and seen[part] > 1 else part


def _place(expression: ast.expr) -> str:
    """What the code calls it: `tenant.country` is the country, `one_line(name, 40)` the name."""
    match expression:
        case ast.Name(id=name):
            return name.strip("_").lower()
        case ast.Attribute(value=inner, attr="value"):
            return _place(inner)
        case ast.Attribute(attr=name):
            return name.strip("_")
        case ast.Subscript(value=inner) | ast.BinOp(left=inner):
            return _place(inner)
        case ast.Call(args=[first, *_]):
            return _place(first)
        case ast.Call(func=called):
            return _place(called)
    return "value"
