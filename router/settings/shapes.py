"""Comparing a parsed document with the struct it is meant to be, and naming every difference.

msgspec stops at the first difference and says so in a programmer's words. This module is asked after msgspec
has refused a document: it walks the same types (`msgspec.inspect`) beside the document and returns all
problems, each with its path. msgspec stays the judge of what is accepted; this is only its interpreter.
"""

import re
from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

import msgspec
import msgspec.inspect as shape

from router.core.destinations import Target
from router.core.problems import Path, Problem, error, nearest, pick_one
from router.core.rules import Greeting, Line, Rule
from router.core.secret_names import is_secret_name

KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    list: "a list",
    dict: "a table",
}
PATTERNS = {
    "^[A-Z]{2}$": 'two capital letters, such as "FR"',
    "^(no_digits|caller)$": '"no_digits" or "caller"',
    "^[a-z0-9][a-z0-9-]{0,39}$": "small letters, digits and hyphens, at most 40",
    "^[A-Za-z0-9][A-Za-z0-9_-]{0,39}$": "letters, digits, hyphens and underscores, at most 40",
    "^[A-Za-z0-9][A-Za-z0-9 _.:-]{0,63}$": "letters, digits, spaces and _ . : -, at most 64",
    "^[A-Za-z0-9_][A-Za-z0-9_/-]{0,79}$": "a sound's name without its ending: letters, digits, _ - and /",
}
MISSING: dict[tuple[type, str], tuple[str, str]] = {
    (Rule, "default"): (
        "the rule has no default destination, so a call that no line takes has nowhere to go",
        'Add one to the rule: default = { destination = "ivr", option = "main" }.',
    ),
    (Rule, "name"): ("the rule has no name", 'Add name = "…": numbers and IVR entries refer to it.'),
    (Greeting, "sound"): ("the greeting has no sound to play", 'Add sound = "…", the name of a recording.'),
    (Line, "destination"): (
        "the line does not say where the call goes",
        'Add destination = "queue" or another kind.',
    ),
    (Target, "destination"): (
        "the kind of destination is missing",
        'Add destination = "queue" or another kind.',
    ),
}


def find_problems(document: Any, type_: Any, path: Path = ()) -> list[Problem]:
    """Every way in which the document is not a `type_`. Empty when it is one."""
    problems = list(_walk(document, _type_info(type_), path))
    if not problems:
        problems = _judged(document, type_, path)
    return problems


def _judged(document: Any, type_: Any, path: Path) -> list[Problem]:
    """msgspec's own verdict, so that nothing it refuses is ever passed in silence."""
    try:
        msgspec.convert(document, type=type_, strict=True)
    except msgspec.ValidationError as refused:
        return [error(path, str(refused), "Compare with docs/configuration.md.")]
    return []


@cache
def _type_info(type_: Any) -> shape.Type:
    return shape.type_info(type_)


def _walk(value: Any, type_: shape.Type, path: Path) -> Iterator[Problem]:
    match type_:
        case shape.AnyType():
            return
        case shape.StructType():
            yield from _walk_struct(value, type_, path)
        case shape.VarTupleType() | shape.ListType():
            yield from _walk_list(value, type_, path)
        case shape.DictType():
            yield from _walk_dict(value, type_, path)
        case shape.UnionType():
            yield from _walk_union(value, type_, path)
        case shape.EnumType() | shape.LiteralType():
            yield from _walk_choice(value, type_, path)
        case shape.Metadata():
            yield from _walk(value, type_.type, path)
        case _:
            yield from _walk_leaf(value, type_, path)


def _walk_struct(value: Any, type_: shape.StructType, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _wrong_kind(value, "a table", path)
        return
    fields = {field.encode_name: field for field in type_.fields}
    missing = [name for name, field in fields.items() if field.required and name not in value]
    for key, item in value.items():
        if key in fields:
            yield from _walk(item, fields[key].type, (*path, key))
        else:
            yield _unknown_key(key, fields, missing, path)
    for name in missing:
        yield _missing_key(type_.cls, name, fields[name].type, path)


def _unknown_key(key: str, fields: Mapping[str, shape.Field], missing: list[str], path: Path) -> Problem:
    likely = nearest(key, missing) or nearest(key, fields)
    mend = (
        f"Did you mean `{likely}`?"
        if likely
        else f"Allowed here: {', '.join(f'`{name}`' for name in fields)}."
    )
    return error((*path, key), f"there is no setting `{key}` here", mend)


def _missing_key(cls: type, name: str, type_: shape.Type, path: Path) -> Problem:
    own = MISSING.get((cls, name))
    if own is not None:
        return error(path, *own)
    return error(path, f"`{name}` is missing", f"Add {name} = {_example(type_)}.")


def _walk_list(value: Any, type_: shape.VarTupleType | shape.ListType, path: Path) -> Iterator[Problem]:
    if not isinstance(value, list):
        double = _is_struct(type_.item_type) and isinstance(value, dict) and path
        mend = f"Write its header with two brackets: [[{path[-1]}]]." if double else "Put it into [brackets]."
        yield _wrong_kind(value, "a list", path, mend)
        return
    for index, item in enumerate(value):
        yield from _walk(item, type_.item_type, (*path, index))


def _walk_dict(value: Any, type_: shape.DictType, path: Path) -> Iterator[Problem]:
    if not isinstance(value, dict):
        yield _wrong_kind(value, "a table", path)
        return
    for key, item in value.items():
        yield from _walk(key, type_.key_type, (*path, key))
        yield from _walk(item, type_.value_type, (*path, key))


def _walk_union(value: Any, type_: shape.UnionType, path: Path) -> Iterator[Problem]:
    """The problem of the member that was probably meant: the one of the value's own kind, else the first."""
    verdicts = [(member, list(_walk(value, member, path))) for member in type_.types]
    if any(not problems for _, problems in verdicts):
        return
    for member, problems in verdicts:
        if (isinstance(value, dict) and _is_struct(member)) or (isinstance(value, list) and _is_list(member)):
            yield from problems
            return
    members = [member for member, _ in verdicts if not isinstance(member, shape.NoneType)]
    if len(members) == 1:
        yield from verdicts[0][1] if verdicts[0][0] is members[0] else verdicts[1][1]
        return
    names = list(dict.fromkeys(name_of(member) for member in members))
    if KINDS[float] in names and KINDS[int] in names:
        names.remove(KINDS[int])
    yield _wrong_kind(value, f"{', '.join(names[:-1])} or {names[-1]}", path)


def _walk_choice(value: Any, type_: shape.EnumType | shape.LiteralType, path: Path) -> Iterator[Problem]:
    allowed = _allowed(type_)
    if isinstance(value, str):
        if value not in allowed:
            yield error(path, f"{_shown(value, path)} is not known here", pick_one(value, allowed))
        return
    yield _wrong_kind(value, "a text", path, f"Allowed: {', '.join(f'`{word}`' for word in allowed)}.")


def _allowed(type_: shape.EnumType | shape.LiteralType) -> list[str]:
    if isinstance(type_, shape.EnumType):
        return [str(member.value) for member in type_.cls]
    return [str(value) for value in type_.values]


def _walk_leaf(value: Any, type_: shape.Type, path: Path) -> Iterator[Problem]:
    match type_:
        case shape.NoneType():
            if value is not None:
                yield _wrong_kind(value, "nothing", path)
        case shape.BoolType():
            if not isinstance(value, bool):
                yield _wrong_kind(value, "true or false", path)
        case shape.IntType() | shape.FloatType():
            yield from _walk_number(value, type_, path)
        case shape.StrType():
            yield from _walk_text(value, type_, path)


def _walk_number(value: Any, type_: shape.IntType | shape.FloatType, path: Path) -> Iterator[Problem]:
    is_whole = isinstance(type_, shape.IntType)
    if isinstance(value, bool) or not isinstance(value, int if is_whole else (int, float)):
        mend = f"Write it without quotes: {path[-1]} = {value}." if _reads_as_number(value) and path else ""
        yield _wrong_kind(value, "a whole number" if is_whole else "a number", path, mend)
        return
    limits = [
        (type_.ge is not None and not value >= type_.ge, f"at least {type_.ge}"),
        (type_.gt is not None and not value > type_.gt, f"more than {type_.gt}"),
        (type_.le is not None and not value <= type_.le, f"at most {type_.le}"),
        (type_.lt is not None and not value < type_.lt, f"less than {type_.lt}"),
    ]
    for is_broken, limit in limits:
        if is_broken:
            yield error(path, f"{value} is out of range", f"It must be {limit}.")


def _reads_as_number(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", value) is not None


def _walk_text(value: Any, type_: shape.StrType, path: Path) -> Iterator[Problem]:
    if not isinstance(value, str):
        is_plain = isinstance(value, int) and not isinstance(value, bool) and not _is_secret(path) and path
        yield _wrong_kind(
            value, "a text", path, f'Put it into quotes: {path[-1]} = "{value}".' if is_plain else ""
        )
        return
    if type_.min_length is not None and len(value) < type_.min_length:
        yield error(
            path, "it is empty" if not value else "it is too short", f"It needs {type_.min_length} or more."
        )
    if type_.max_length is not None and len(value) > type_.max_length:
        yield error(path, f"it has {len(value)} characters", f"At most {type_.max_length} are allowed.")
    if type_.pattern is not None and re.search(type_.pattern, value) is None:
        meant = PATTERNS.get(type_.pattern, f"a text that fits {type_.pattern}")
        yield error(path, f"{_shown(value, path)} does not fit", f"It must be {meant}.")


def _wrong_kind(value: Any, wanted: str, path: Path, mend: str = "") -> Problem:
    kind = KINDS.get(type(value), "a date or time" if hasattr(value, "isoformat") else type(value).__name__)
    return error(path, f"it must be {wanted}, not {kind}", mend or f"Write {wanted}.")


def _is_struct(type_: shape.Type) -> bool:
    return isinstance(type_, shape.StructType)


def _is_list(type_: shape.Type) -> bool:
    return isinstance(type_, shape.VarTupleType | shape.ListType)


def name_of(type_: shape.Type) -> str:
    match type_:
        case shape.BoolType():
            return KINDS[bool]
        case shape.IntType():
            return KINDS[int]
        case shape.FloatType():
            return KINDS[float]
        case shape.VarTupleType() | shape.ListType():
            return KINDS[list]
        case shape.StructType() | shape.DictType():
            return KINDS[dict]
        case _:
            return KINDS[str]


def _example(type_: shape.Type) -> str:
    match type_:
        case shape.StructType(cls=cls) if issubclass(cls, Target):
            return '{ destination = "ivr", option = "main" }'
        case shape.StructType() | shape.DictType():
            return "{ … }"
        case shape.BoolType():
            return "false"
        case shape.IntType() | shape.FloatType():
            return "a number"
        case shape.VarTupleType() | shape.ListType():
            return "[ … ]"
        case shape.EnumType() | shape.LiteralType():
            return "one of " + ", ".join(f'"{word}"' for word in _allowed(type_))
        case shape.StrType(pattern=str(pattern)) if pattern in PATTERNS:
            return PATTERNS[pattern]
        case _:
            return '"…"'


def _is_secret(path: Path) -> bool:
    return any(isinstance(part, str) and is_secret_name(part) for part in path)


def _shown(value: str, path: Path) -> str:
    """The value as a message may show it: cut short, and never a secret."""
    if _is_secret(path):
        return "the value"
    return f"`{value}`" if len(value) <= 60 else f"`{value[:60]}…`"
