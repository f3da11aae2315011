"""Bullhorn's own reference of its entities, held against our requests.

The reference is Bullhorn's and lies beside the project, where it lies at all; without it nothing is compared. It
is prose with a table of fields for each entity: the fields that we ask for, search in and write must stand there,
and what we write must fit.
"""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from router.core.call_logs import NewContact
from tests.crms import people
from tests.crms.bullhorn import RIGS
from tests.crms.driving import Recorder, finished
from tests.crms.product import Product
from workers.connectors.bullhorn.api import MODULES
from workers.connectors.bullhorn.find import PHONES
from workers.connectors.steps import Request

FOLDER = (
    Path(__file__).resolve().parents[3] / "shared" / "crm" / "specs" / "bullhorn" / "includes" / "entityref"
)
MARKDOWN_ROW = re.compile(
    r"^\| *(?P<name>\w+(?:(?:-| to )\d+)?) *\| *(?P<type>[^|]*?) *\|(?P<rest>.*)$", re.MULTILINE
)
HTML_ROW = re.compile(r"<td>(?P<name>\w+)</td>\s*<td>(?P<type>[^<]*)</td>(?P<rest>.*?)</tr>", re.DOTALL)
SEARCHED = re.compile(r"(\w+)[:=]")

pytestmark = [
    pytest.mark.skipif(not FOLDER.is_dir(), reason="Bullhorn's reference is not here"),
    pytest.mark.parametrize("rig", RIGS, ids=lambda rig: rig.name),
]


@cache
def fields_of(entity: str) -> dict[str, tuple[str, bool]]:
    """By name, such as customText7 for `customText1-20`: the type, and whether it is read only."""
    text = (FOLDER / f"_{entity.lower()}.md").read_text()
    found: dict[str, tuple[str, bool]] = {}
    for row in (*MARKDOWN_ROW.finditer(text), *HTML_ROW.finditer(text)):
        is_read_only = re.search(r"(X \|? *|<td>X</td>\s*)$", row["rest"]) is not None
        found |= dict.fromkeys(expanded(row["name"]), (row["type"], is_read_only))
    return found


def expanded(name: str) -> Iterator[str]:
    several = re.fullmatch(r"(\w+?)(\d+)(?:-| to )(\d+)", name)
    if several is None:
        yield name
        return
    for number in range(int(several[2]), int(several[3]) + 1):
        yield f"{several[1]}{number}"


def entity_of(request: Request) -> str:
    return request.url.rpartition("/")[2]


def asked_of(request: Request) -> set[str]:
    """The entity's own fields that a request reads or searches."""
    body: dict[str, Any] = request.json or {}
    texts = re.sub(r"\\.|'[^']*'|\"(\\.|[^\"])*\"", "", " ".join(map(str, body.values())))
    read = re.sub(r"\([^)]*\)", "", dict(request.query).get("fields", ""))
    sorted_by = dict(request.query).get("sort", dict(request.query).get("orderBy", "")).lstrip("-")
    return {*SEARCHED.findall(texts), *read.split(","), *sorted_by.split(",")} - {""}


async def everything(product: Product) -> list[Request]:
    recorder = Recorder(product.asker._sender)
    product.asker._sender = recorder
    subject = product.subject()
    for module in MODULES:
        await product.find(people.NOBODY, "customText1", modules=(module,))
        await product.find(digits="4711", digits_field="customText2", modules=(module,))
    await product.find(people.ALICE, "clientCorporation.name")
    for module in ("Lead", "ClientContact", "Candidate"):
        await product.abilities.create(subject, NewContact(module, people.NOBODY, f"Nina {'Neuve' * 40}"))
    for call in (
        finished(module="ClientContact", record_id="1", subject="x" * 300),
        finished(is_repeat=True),
    ):
        await product.abilities.log_call(subject, call)
    return [request for request, _ in recorder.exchanges]


async def test_what_is_read_and_searched_is_in_bullhorns_reference(product: Product) -> None:
    asked = [one for one in await everything(product) if "/search/" in one.url or "/query/" in one.url]

    assert {entity_of(one) for one in asked} == {*MODULES, "Note"}
    for request in asked:
        assert asked_of(request) - set(fields_of(entity_of(request))) == set(), request.url


async def test_what_is_written_is_in_bullhorns_reference_and_fits(product: Product) -> None:
    written = [one for one in await everything(product) if "/entity/" in one.url]

    assert {entity_of(one) for one in written} == {"Note", "Lead", "ClientContact", "Candidate"}
    for request in written:
        for name, value in (request.json or {}).items():
            type_, is_read_only = fields_of(entity_of(request))[name]
            assert not is_read_only, name
            most = re.search(r"String *\((\d+)\)", type_)
            assert most is None or len(value) <= int(most[1]), (name, value)


def test_every_phone_field_is_a_text_of_bullhorns(rig: Any) -> None:
    for entity, names in PHONES.items():
        assert {fields_of(entity)[name][0].replace(" ", "") for name in names} == {"String(20)"}, entity
