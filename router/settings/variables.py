"""Settings in the environment: `CRMROUTE__SECTION__KEY=value`, typed by the settings' own struct.

A list of texts is one variable, with commas between the texts.
"""

from typing import Any

import msgspec.inspect as shape

from router.core.problems import Path, nearest
from router.settings.model import Settings
from router.settings.shapes import name_of

VARIABLE_PREFIX = "CRMROUTE__"
TRUE_WORDS = frozenset({"true", "yes", "on", "1"})
FALSE_WORDS = frozenset({"false", "no", "off", "0"})


class BadVariable(Exception):
    """What is wrong with a variable, and how to mend it. Never holds the value: it may be a secret."""

    def __init__(self, what: str, mend: str) -> None:
        self.what = what
        self.mend = mend
        super().__init__(f"{what}. {mend}")


def read_variable(name: str, text: str) -> tuple[Path, bool | int | float | str | list[str]]:
    """Where in the settings a variable belongs, and its value. Raises BadVariable."""
    path: Path = ()
    type_: shape.Type = shape.type_info(Settings)
    for word in name.removeprefix(VARIABLE_PREFIX).lower().split("__"):
        part, type_ = _descend(word, type_)
        path = (*path, part)
    if isinstance(type_, shape.VarTupleType) and isinstance(type_.item_type, shape.StrType):
        return path, [part for part in (item.strip() for item in text.split(",")) if part]
    if isinstance(type_, shape.StructType | shape.VarTupleType | shape.DictType):
        raise BadVariable("it names a whole table", f"Name one value: {name}__KEY.")
    return path, _typed(text, type_)


def _descend(word: str, type_: shape.Type) -> tuple[str | int, shape.Type]:
    match type_:
        case shape.VarTupleType(item_type=shape.StrType()):
            mend = "Write the whole list, with commas between its texts."
            raise BadVariable("it names a part of a list", mend)
        case shape.VarTupleType() if word.isascii() and word.isdecimal():
            return int(word), type_.item_type
        case shape.VarTupleType():
            mend = "Count the servers from 0: CRMROUTE__ASTERISK__0__HOST."
            raise BadVariable(f"`{word}` is not a number", mend)
        case shape.StructType():
            known = {field.encode_name: field.type for field in type_.fields}
        case shape.DictType(key_type=shape.EnumType(cls=kinds)):
            known = {str(kind.value): type_.value_type for kind in kinds}
        case _:
            known = {}
    if word in known:
        return word, known[word]
    likely = nearest(word, known)
    listed = ", ".join(known).upper() or "nothing"
    mend = f"Did you mean {likely.upper()}?" if likely else f"Known here: {listed}."
    raise BadVariable(f"there is no setting {word.upper()}", mend)


def _typed(text: str, type_: shape.Type) -> bool | int | float | str:
    try:
        match type_:
            case shape.BoolType():
                return _truth(text)
            case shape.IntType():
                return int(text)
            case shape.FloatType():
                return float(text)
    except ValueError as refused:
        raise BadVariable(f"its value is not {name_of(type_)}", f"Write {name_of(type_)}.") from refused
    return text


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in TRUE_WORDS | FALSE_WORDS:
        raise ValueError(word)
    return word in TRUE_WORDS


def with_value(node: Any, path: Path, value: Any) -> Any:
    """A copy of the document with one value set."""
    if not path:
        return value
    key, rest = path[0], path[1:]
    if isinstance(key, int):
        items = list(node) if isinstance(node, list) else []
        if key >= len(items):
            raise BadVariable(
                f"there are {len(items)} [[asterisk]] servers",
                "Count from 0, or add the server to local.toml.",
            )
        items[key] = with_value(items[key], rest, value)
        return items
    table = dict(node) if isinstance(node, dict) else {}
    table[key] = with_value(table.get(key), rest, value)
    return table
