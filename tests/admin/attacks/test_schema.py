"""The whole API against its own description: schemathesis makes requests of the OpenAPI, right ones and wrong
ones, and holds each answer to what is documented: its status, content type, headers and body.

At `make test` the requests are the same at every run; `make schema` makes many more, and new ones each time.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis import Case
from schemathesis.config import SchemathesisConfig

from router.core.roles import Role
from tests.admin.attacks.serving import serving
from tests.admin.attacks.world import Made, Stage, described
from tests.records.makers import ACME

EXAMPLES = int(os.environ.get("SCHEMA_EXAMPLES", "0"))
"""Of each operation; 0 for the few of `make test`."""
ACCEPTED = ("2xx", "401", "403", "404", "409", "412", "422")
"""Of what the OpenAPI allows: a revision may be old, and no schema tells what can work as a whole."""
REFUSED = ("400", "401", "403", "404", "405", "409", "412", "413", "422", "428")
"""A revision that is missing, or was never given, has statuses of its own (RFC 6585, RFC 9110)."""
KEPT = frozenset({"removeTenant", "removeToken"})
"""What they remove is what the others are tried on: their ids stay as they are generated."""
CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            "positive_data_acceptance": {"expected-statuses": [*ACCEPTED]},
            "negative_data_rejection": {"expected-statuses": [*REFUSED]},
            "missing_required_header": {"expected-statuses": [*REFUSED]},
        }
    }
)
schema = schemathesis.openapi.from_dict(described(), config=CONFIG)


@pytest.fixture
def address(made: Made, stage: Stage, tmp_path: Path) -> Iterator[str]:
    with serving(made, stage, tmp_path) as one:
        yield one


@schema.parametrize()
@settings(
    max_examples=EXAMPLES or 5,
    derandomize=not EXAMPLES,
    database=None,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
def test_every_answer_is_as_documented(case: Case[Any], address: str, made: Made) -> None:
    """Once with what is generated, once at what is there."""
    headers = {"Authorization": f"Bearer {made.key_of(Role.PROVIDER, ACME).token}"}
    case.call_and_validate(base_url=address, headers=headers)
    ids = made.ids[ACME]
    real = {name: ids[name] for name in case.path_parameters if name in ids}
    if real and case.operation.definition.raw["operationId"] not in KEPT:
        case.path_parameters.update(real)
        answer = case.call(base_url=address, headers=headers)
        assert answer.status_code < 500, answer.text
        case.operation.validate_response(answer)
