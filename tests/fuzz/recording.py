"""`python -m tests.fuzz.recording`: what each local CRM answers to its connector, kept as seeds.

A seed is an ability and the answers to its requests in their order, as `tests.fuzz.decoders.crms` reads it.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from router.core.call_logs import NewContact
from router.core.errands import TryLookup
from tests.crms import people
from tests.crms.driving import Recorder, finished
from tests.crms.product import ACME, CRM, Product, running
from tests.crms.rig import CrmRig
from tests.crms.rigs import ALL
from workers.connectors.steps import Request, Response
from workers.errors import LookupFailed

FOLDER = Path(__file__).resolve().parent / "exchanges"
URL = "https://crm.example"
"""Stands for the local CRM's own address, as some sign-ins tell it."""
KEPT_HEADERS = ("content-type", "location", "set-cookie")
BODY_MOST = 4_000
"""A longer answer, such as every field of every module, is no better seed than a short one."""


def exchanges(rig: str) -> Sequence[dict[str, Any]]:
    return [json.loads(line) for line in (FOLDER / f"{rig}.jsonl").read_text().splitlines()]


def told(ability: str, answers: Sequence[Response]) -> dict[str, Any]:
    return {"ability": ability, "answers": [_told(answer) for answer in answers]}


def _told(answer: Response) -> dict[str, Any]:
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    return {"status": answer.status, "headers": headers, **_body(answer.body)}


def _body(body: bytes) -> dict[str, Any]:
    """As JSON where it is, so that its parts can be bent."""
    text = body.decode("utf-8", "surrogateescape")
    try:
        return {"json": json.loads(text)}
    except ValueError:
        return {"text": text}


async def _record(rig: CrmRig) -> list[dict[str, Any]]:
    async with running(rig) as product:
        made: list[dict[str, Any]] = []
        recorder = Recorder(product.asker._sender)
        product.asker._sender = recorder
        for ability, asking in _abilities(rig, product):
            recorder.exchanges.clear()
            with suppress(LookupFailed):
                await asking
            made += _sorted_out(ability, recorder.exchanges)
        text = json.dumps(made).replace(product.crm.url, URL)
        return list(json.loads(text))


def _abilities(rig: CrmRig, product: Product) -> Any:
    subject, abilities = product.subject(), product.abilities
    by_number = TryLookup(tenant=ACME, integration=CRM, number=people.ALICE, modules=(rig.contacts,))
    yield "find", product.find(people.ALICE, rig.tier)
    yield "find", product.find(people.NOBODY, rig.tier)
    yield "find_digits", product.find(digits="4711")
    yield "find", abilities.try_lookup(subject, replace(by_number, fields=(rig.unknown_field,)))
    yield "check", abilities.who(subject)
    yield "modules", abilities.modules(subject)
    yield "fields", abilities.fields(subject, rig.contacts)
    call = finished(module=rig.contacts, record_id="1", record_name="Alice Martin")
    yield "log_call", abilities.log_call(subject, call)
    yield "log_call", abilities.log_call(subject, replace(call, is_repeat=True))
    yield "create", abilities.create(subject, NewContact(rig.contacts, people.NOBODY, "Nina"))


def _sorted_out(ability: str, seen: Sequence[tuple[Request, Response]]) -> list[dict[str, Any]]:
    """The sign-in's requests apart from the ability's own."""
    by_step: dict[str, list[Response]] = {"sign_in": [], ability: []}
    for request, response in seen:
        if len(response.body) <= BODY_MOST:
            by_step["sign_in" if request.name in SIGN_INS else ability].append(response)
    return [told(step, answers) for step, answers in by_step.items() if answers]


SIGN_INS = frozenset({"token", "challenge", "code", "session", "home"})
"""The names of the requests by which connectors sign in."""


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for rig in ALL:
        lines = [json.dumps(one, ensure_ascii=True) for one in asyncio.run(_record(rig))]
        (FOLDER / f"{rig.name}.jsonl").write_text("\n".join(dict.fromkeys(lines)) + "\n")


if __name__ == "__main__":
    main()
