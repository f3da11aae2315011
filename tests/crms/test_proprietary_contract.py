"""Our own contract: the OpenAPI file, the page, the reference server and the code say the same."""

import json
import os
import re
import shlex
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from openapi_spec_validator import validate

from router.core.call_logs import NewContact
from router.core.crm_catalog import CrmFieldType
from router.core.errands import StepState
from router.core.faults import Fault, Step
from router.core.rules import Outcome
from router.store.memory import MemoryStore
from tests.crms import contract, people
from tests.crms.driving import Recorder, answered, finished
from tests.crms.product import Product
from tests.crms.proprietary import TOKEN_RIG, OwnCrm
from tests.workers.makers import WORKER
from workers.connectors.proprietary.api import FAULTS, PROBLEMS, Settings, answer, get
from workers.connectors.steps import Account
from workers.errors import LookupRefused
from workers.http import HttpClient
from workers.secrets import Secret
from workers.signing import header_of

PAGE = (contract.DOCS / "proprietary-crm.md").read_text()
EXAMPLES = re.findall(r"```sh\n(curl .*?)```\n\n```json\n(.*?)```", PAGE, re.DOTALL)
"""Each command of the page, and the answer below it."""
TOKEN = "change-me"


# The OpenAPI file


def test_the_file_is_openapi() -> None:
    validate(contract.document())


@pytest.mark.parametrize(("place", "example", "schema"), contract.examples(), ids=lambda one: str(one)[-60:])
def test_each_example_of_the_file_fits_its_schema(place: str, example: Any, schema: Any) -> None:
    contract.require(example, schema)


def test_the_file_knows_the_field_types_and_errors_of_the_code() -> None:
    schemas = contract.document()["components"]["schemas"]

    types = set(schemas["Field"]["properties"]["type"]["enum"])
    errors = set(schemas["Problem"]["properties"]["type"]["examples"]) - {"about:blank"}
    assert types == {type_.value for type_ in CrmFieldType}
    assert errors == {f"urn:crmroute:{name}" for name in {**FAULTS, **PROBLEMS}}


def test_what_the_file_does_not_say_is_refused() -> None:
    """The judge judges: a wrong path, method, property, type and signature."""
    good = {"digits": "1", "digits_field": "a", "modules": [], "fields": []}
    for method, path, body, signature in (
        ("GET", "/crmroute/v1/look", b"", None),
        ("GET", "/crmroute/v1/lookup", b"", None),
        ("GET", "/crmroute/v1/me", b"{}", None),
        ("GET", "/crmroute/v1/me", b"", "t=1,v1=beef"),
        ("GET", "/crmroute/v1/modules/a%20b/fields", b"", None),
        ("POST", "/crmroute/v1/lookup", json.dumps(good | {"number": "+33639980001"}).encode(), None),
        ("POST", "/crmroute/v1/lookup", json.dumps(good | {"modules": "contacts"}).encode(), None),
        ("POST", "/crmroute/v1/lookup", json.dumps(good | {"tenant": "acme"}).encode(), None),
    ):
        with pytest.raises(AssertionError):
            contract.require_request(method, path, body, contract.JSON, signature)
    contract.require_request("POST", "/crmroute/v1/lookup", json.dumps(good).encode(), contract.JSON)


# The page


@pytest.mark.parametrize(
    ("type_", "status", "fault"),
    [
        ("unauthorized", 401, Fault.CREDENTIALS),
        ("bad-signature", 401, Fault.CREDENTIALS),
        ("forbidden", 403, Fault.RIGHTS),
        ("unknown-module", 400, Fault.MODULE),
        ("unknown-module", 404, Fault.MODULE),
        ("unknown-field", 400, Fault.FIELD),
        ("invalid-request", 400, Fault.QUERY),
        ("not-supported", 501, Fault.SETTINGS),
    ],
)
def test_each_type_of_error_and_what_the_page_says_the_trace_shows(
    type_: str, status: int, fault: Fault
) -> None:
    body = {"type": f"urn:crmroute:{type_}", "status": status, "detail": "because"}

    with pytest.raises(LookupRefused) as refused:
        answer(answered(body, status))

    assert (refused.value.fault, refused.value.said) == (fault, "because")
    (row,) = [line for line in PAGE.splitlines() if line.startswith(f"| `urn:crmroute:{type_}`")]
    _, _, statuses, told, _ = (part.strip() for part in row.rsplit("|", 5)[0:5])
    assert str(status) in statuses
    assert told == refused.value.problem


def test_the_pages_own_verification_takes_what_is_sent_and_nothing_else() -> None:
    (source,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    page: dict[str, Any] = {}
    exec(source, page)  # noqa: S102 (the page's own example)
    secret = "canary-signing-secret"
    settings = Settings(url="https://own.example/api", token=Secret("canary"), signing_secret=Secret(secret))
    signature = get(Account(settings), "me", "me").signature
    assert signature is not None
    now = time.time()

    def is_taken(header: str, method: str = "GET", path: str = "/crmroute/v1/me", body: bytes = b"") -> bool:
        return bool(page["is_signed"](secret, header, method, path, body))

    name, header = header_of(signature, b"", now)
    assert name == "Crmroute-Signature"
    assert is_taken(header)
    assert not is_taken(header, method="PUT")
    assert not is_taken(header, path="/crmroute/v1/modules")
    assert not is_taken(header, body=b"{}")
    assert not is_taken(header_of(signature, b"", now - 400)[1])
    for wrong in ("", "t=x,v1=y", header.replace("t=", "t=1"), header[:-1]):
        assert not is_taken(wrong)


# The reference server, as its own process


@pytest.fixture(scope="module")
def reference() -> Iterator[str]:
    """Its address."""
    process = subprocess.Popen(
        [sys.executable, str(contract.DOCS / "proprietary-crm-server.py"), "0"],
        env={**os.environ, "TOKEN": TOKEN},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    yield process.stdout.readline().strip()
    process.kill()
    process.wait()
    process.stdout.close()


@pytest.fixture
async def exchanges() -> AsyncIterator[Recorder]:
    http = HttpClient(WORKER)
    yield Recorder(http)
    await http.aclose()


@pytest.fixture
def product(reference: str, exchanges: Recorder) -> Product:
    crm = OwnCrm()  # never started: the reference server stands in for it
    crm.url = reference
    return Product(TOKEN_RIG, crm, MemoryStore(), exchanges)


async def test_the_reference_server_does_all_that_the_connector_asks(
    product: Product, exchanges: Recorder
) -> None:
    subject = product.subject({"url": product.crm.url, "token": TOKEN})

    found = await product.find(people.ALICE, "tier", "account_no", subject=subject)
    bruno = await product.find(digits="0815", subject=subject)
    nobody = await product.find(people.NOBODY, subject=subject)
    neighbour = await product.find("+34639980001", subject=subject)
    unknown = await product.find(people.ALICE, "teir", subject=subject)
    checked = await product.check(subject, "tier")
    modules = await product.abilities.modules(subject)
    listed = await product.abilities.fields(subject, "contacts")
    call = finished(record_id="1", module="contacts")
    logged = [await product.abilities.log_call(subject, call) for _ in range(2)]

    assert [one.values for one in found.records] == [{"tier": "Gold", "account_no": "4711"}]
    assert [one.name for one in bruno.records] == ["Bruno Petit"]
    assert (nobody.outcome, nobody.problem) == (Outcome.NOT_FOUND, "")
    assert neighbour.outcome is Outcome.NOT_FOUND
    assert "only tier and account_no are here" in unknown.problem
    assert all(step.state is StepState.PASSED for step in checked.steps), checked.steps
    assert [one.name for one in modules] == ["contacts"]
    assert [choice.value for choice in listed[0].choices] == ["Gold", "Silver"]
    assert [one.was_there for one in logged] == [False, True]
    with pytest.raises(LookupRefused) as refused:
        await product.abilities.create(subject, NewContact("contacts", people.NOBODY, "Nina"))
    assert refused.value.fault is Fault.SETTINGS
    require_agreement(exchanges, product.crm.url)


def require_agreement(recorder: Recorder, url: str) -> None:
    """Each request and each answer is as the file says."""
    assert len(recorder.exchanges) > 10
    for request, response in recorder.exchanges:
        path = request.url.removeprefix(url)
        body = b"" if request.json is None else json.dumps(request.json).encode()
        contract.require_request(request.method, path, body, contract.JSON)
        content_type = response.content_type
        contract.require_answer(request.method, path, response.status, response.body, content_type)


async def test_the_reference_server_refuses_another_token(product: Product) -> None:
    checked = await product.check(product.subject({"url": product.crm.url, "token": "canary-wrong"}))

    (failed,) = [one for one in checked.steps if one.state is StepState.FAILED]
    assert (failed.step, "the token is not known" in failed.told) == (Step.CREDENTIALS, True)


def test_the_page_has_an_example_for_each_path() -> None:
    asked = {re.sub(r"/calls/.*", "/calls/{call_id}", path_of(command)) for command, _ in EXAMPLES}

    known = {path.replace("{module}", "contacts") for path in contract.document()["paths"]}
    assert asked == known
    assert PAGE.count("```sh") == len(EXAMPLES)


@pytest.mark.parametrize(("command", "said"), EXAMPLES, ids=range(1, len(EXAMPLES) + 1))
def test_each_example_of_the_page_works_as_it_stands(reference: str, command: str, said: str) -> None:
    words = shlex.split(command)
    headers = dict(words[at + 1].split(": ", 1) for at, word in enumerate(words) if word == "-H")
    data = next((words[at + 1].encode() for at, word in enumerate(words) if word == "-d"), None)
    method = words[words.index("-X") + 1] if "-X" in words else "POST" if data else "GET"
    url = f"{reference}/crmroute/v1{path_of(command)}"
    request = urllib.request.Request(url, data, headers, method=method)

    try:
        with urllib.request.urlopen(request) as response:
            answer = response.read()
    except urllib.error.HTTPError as error:
        with error:
            answer = error.read()

    assert json.loads(answer) == json.loads(said)
    contract.require_request(method, f"/crmroute/v1{path_of(command)}", data or b"", contract.JSON)


def path_of(command: str) -> str:
    url = next(word for word in shlex.split(command) if word.startswith("http://"))
    return url.partition("/crmroute/v1")[2]
