"""The problems that workers, routers and links tell, read from their source as `told_sentences` does.

Beyond its ways, tables of texts are followed, and `one or another`. What only hands a problem on
(`error.problem`) is followed where it is made.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.admin.pages.told_sentences import (
    ROUTER,
    Found,
    NotFollowed,
    Sources,
    Tellers,
    found_in,
    name_of_called,
)

ROOT = ROUTER.parent
MODULES = (
    "workers/*.py",
    "workers/connectors/*.py",
    "workers/connectors/*/*.py",
    "router/core/refusals.py",
    "router/core/choices.py",
    "router/core/decide.py",
    "router/store/limits.py",
    "router/store/batches.py",
    "router/ami/*.py",
    "router/engine/*.py",
)
"""Where the problems of look-ups, connection tests, sign-ins and links come from."""
NOT_SHOWN = frozenset({"fake.py", "inspection.py"})
"""A test's own, and what `crmroute doctor` alone tells."""
TELLERS: Tellers = {
    **dict.fromkeys(
        (
            *("LookupFailed", "LookupUnavailable", "AttemptTimedOut", "LookupRefused", "SignInNeeded"),
            *("GrantExpired", "IntegrationUnusable", "problems.append", "asking.told", "told"),
            *("LinkFailed", "LinkLost", "AnswerMissing", "LoginRefused", "NotAsterisk"),
            *("session.end", "end"),
        ),
        (0,),
    ),
    **dict.fromkeys(("StoreUnavailable", "StoreOverloaded"), (0,)),
    "ErrandFailed": (1,),
    "missing.setdefault": (1,),
    **dict.fromkeys(("_fail", "_rest", "_again"), (1,)),
    "CheckedStep": (2,),
    "CertificateRefused": (0, 1),
    "Findings": (1, "problem"),
    **dict.fromkeys(("Answer", "replace", "ClaimAnswer", "MoveAnswer"), ("problem",)),
}
"""The arguments that are problems."""
ASKS = frozenset({"get", "post", "put", "patch", "ask", "_ask", "call", "execute", "_get", "_request"})
"""What connectors make their requests with: the second argument is the step's name."""


def find_problems() -> Found:
    paths = [path for pattern in MODULES for path in sorted(ROOT.glob(pattern)) if path.name not in NOT_SHOWN]
    return found_in(_ProblemSources(ROOT, paths, TELLERS, {}))


def find_steps() -> set[str]:
    """The names of connectors' requests, which stand before a problem."""
    found: set[str] = set()
    for path in sorted((ROOT / "workers").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                found.update(_step_of(node))
    return found


def _step_of(call: ast.Call) -> Iterator[str]:
    if name_of_called(call) == "Request":
        named = [one.value for one in call.keywords if one.arg == "name"]
    else:
        named = call.args[1:2] if name_of_called(call) in ASKS else []
    yield from (one.value for one in named if isinstance(one, ast.Constant) and isinstance(one.value, str))


class _ProblemSources(Sources):
    def texts(self, expression: ast.expr, path: Path, function: ast.AST, depth: int = 0) -> list[str]:
        match expression:
            case ast.Attribute(attr="problem" | "told"):
                return []
            case ast.Attribute(value=ast.Name(id=module), attr=name) if name.isupper():
                where = next(one for one, known in self.constants if one.stem == module and known == name)
                return self.texts(self.constants[where, name], where, function, depth + 1)
            case ast.BoolOp(op=ast.Or(), values=several):
                return self._any(several, path, function, depth)
            case ast.Subscript(value=ast.Name(id=name)):
                return self._values(name, path, function, depth)
            case ast.Call(func=ast.Attribute(value=ast.Name(id=name), attr="get")):
                return self._values(name, path, function, depth)
            case ast.Call(func=ast.Attribute(value=inner, attr="rstrip"), args=[]):
                return self.texts(inner, path, function, depth + 1)
        return super().texts(expression, path, function, depth)

    def _any(self, several: list[ast.expr], path: Path, function: ast.AST, depth: int) -> list[str]:
        """Of `one or another`: all, or of a whole problem those that the source tells. Raises NotFollowed."""
        found: list[str] = []
        for one in several:
            try:
                found += self.texts(one, path, function, depth + 1)
            except NotFollowed:
                if depth:
                    raise
        if not found:
            raise NotFollowed
        return found

    def _values(self, name: str, path: Path, function: ast.AST, depth: int) -> list[str]:
        """Of a table. Raises NotFollowed."""
        where = self.where(self.constants, path, name)
        table = self.constants[where, name]
        if not isinstance(table, ast.Dict):
            raise NotFollowed
        return [text for one in table.values for text in self.texts(one, where, function, depth + 1)]
