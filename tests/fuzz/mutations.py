"""Bending an input: its bytes, or the values it is made of when it can be read as a tree.

Bytes alone rarely get past a decoder's first look; trees alone never break its syntax. So a tree's mutator
falls back to bytes now and then, and whenever the input is none.
"""

import json
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import msgspec
import tomli
import tomli_w

from tests.fuzz.atoms import SCALARS, TEXTS, deep
from tests.fuzz.targets import Mutate

_WORDS = tuple(text.encode("utf-8", "surrogatepass") for text in TEXTS)
_BYTES = (
    b"\xff",
    b"\xc3",
    b"\xed\xa0\x80",
    b"\xf4\x90\x80\x80",
    b"\x00",
    b"\x80",
    b"\xc0\xaf",
    b"\xef\xbb\xbf",
)
Tree = Any
Place = tuple[Any, Any]
"""A list or table, and the index or key of a value in it."""


def bend_bytes(random: Random, data: bytes, other: bytes) -> bytes:
    """One to four small changes."""
    made = bytearray(data)
    for _ in range(random.choice((1, 1, 2, 4))):
        _bend_once(random, made, other)
    return bytes(made)


def _bend_once(random: Random, made: bytearray, other: bytes) -> None:
    at = random.randrange(len(made) + 1)
    length = random.choice((1, 1, 2, 4, 16, 64))
    match random.randrange(8):
        case 0 if made:
            made[at % len(made)] ^= 1 << random.randrange(8)
        case 1 if made:
            made[at % len(made)] = random.randrange(256)
        case 2:
            del made[at : at + length]
        case 3:
            made[at:at] = made[at : at + length] * random.choice((1, 2, 50))
        case 4:
            made[at:at] = random.choice(_WORDS)
        case 5:
            made[at : at + length] = random.choice(_WORDS)
        case 6:
            made[at:at] = random.choice(_BYTES)
        case _ if other:
            begin = random.randrange(len(other))
            made[at : at + length] = other[begin : begin + random.choice((4, 32, 256, len(other)))]


def bend_text(random: Random, data: bytes, other: bytes) -> bytes:
    """As bytes, and now and then a whole word or line in place of another."""
    if random.random() < 0.5:
        return bend_bytes(random, data, other)
    joint = random.choice((b"\n", b"\r\n", b" ", b",", b'"', b"="))
    parts = data.split(joint)
    at = random.randrange(len(parts))
    match random.randrange(4):
        case 0:
            parts[at] = random.choice(_WORDS)
        case 1:
            parts.insert(at, random.choice(parts))
        case 2:
            parts.insert(at, random.choice(other.split(joint)))
        case _:
            del parts[at]
    return joint.join(parts)


def bend_tree(random: Random, tree: Tree, other: Tree) -> Tree:
    """One to four values replaced, renamed, doubled, dropped, or taken from another tree. Changes `tree`."""
    root = [tree]
    for _ in range(random.choice((1, 1, 2, 4))):
        places = list(_places(root))
        container, key = random.choice(places)
        _bend_value(random, container, key, other)
    return root[0]


def _bend_value(random: Random, container: Any, key: Any, other: Tree) -> None:
    value = container[key]
    match random.randrange(8):
        case 0 | 1:
            container[key] = random.choice(SCALARS)
        case 2:
            container[key] = _near(random, value)
        case 3:
            container[key] = random.choice(([], {}, [value], {"a": value}, [None], [value, value]))
        case 4:
            places = list(_places([other]))
            from_container, from_key = random.choice(places)
            container[key] = from_container[from_key]
        case 5 if isinstance(container, dict):
            container[random.choice((*TEXTS[:60], *container))] = container.pop(key)
        case 6 if isinstance(value, list | dict) and value:
            _drop_or_double(random, value)
        case 7 if random.random() < 0.1:
            container[key] = deep(random.choice((5, 50, 300)), is_table=random.random() < 0.5)
        case _ if isinstance(container, dict) and len(container) > 1:
            del container[key]


def _near(random: Random, value: Any) -> Any:
    """A value of the same kind."""
    match value:
        case bool():
            return not value
        case int() | float():
            return random.choice((value + 1, -value, value * 1e10, str(value), value / 3))
        case str():
            word = random.choice(TEXTS)
            return random.choice((value + word, word + value, value[: len(value) // 2], value.upper(), word))
    return random.choice(SCALARS)


def _drop_or_double(random: Random, value: Any) -> None:
    if isinstance(value, list):
        at = random.randrange(len(value))
        value[at : at + 1] = [value[at]] * random.choice((0, 2, 3, 120))
    else:
        del value[random.choice(list(value))]


def _places(container: Any, depth: int = 0) -> Iterator[Place]:
    if depth > 40:
        return
    items = enumerate(container) if isinstance(container, list) else container.items()
    for key, value in list(items):
        yield container, key
        if isinstance(value, list | dict) and value:
            yield from _places(value, depth + 1)


def bend_document(read: Callable[[bytes], Tree], write: Callable[[Tree], bytes]) -> Mutate:
    """A mutator of what `read` makes a tree of; one in eight changes is of its bytes."""

    def mutate(random: Random, data: bytes, other: bytes) -> bytes:
        if random.random() < 0.125:
            return bend_text(random, data, other)
        try:
            return write(bend_tree(random, read(data), read(other)))
        except Exception:  # what cannot be read, or written any more
            return bend_text(random, data, other)

    return mutate


def read_toml(data: bytes) -> Tree:
    return tomli.loads(data.decode())


def write_toml(tree: Tree) -> bytes:
    return tomli_w.dumps(tree).encode()


def write_json(tree: Tree) -> bytes:
    """As other people's software may write it: `NaN`, numbers beyond all bounds, halves of characters."""
    return json.dumps(tree, ensure_ascii=True).encode()


bend_json = bend_document(msgspec.json.decode, write_json)
bend_msgpack = bend_document(msgspec.msgpack.decode, msgspec.msgpack.encode)
bend_toml = bend_document(read_toml, write_toml)
