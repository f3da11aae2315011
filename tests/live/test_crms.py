"""One call for each way into each CRM: real Asterisk, SIP caller, router and worker, the CRM's strict
local server.

Each integration has a DID of its own and the rule GOLD, SILVER, BRONZE; Alice calls all of them, and is
Gold.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from deploy.rig.asterisk import RunningAsterisk
from deploy.rig.callers import Caller, start_calls
from deploy.rig.sample_site import Site, wait_until
from router.settings.load import load_settings
from router.settings.manifest_files import load_manifests
from tests.crms import people
from tests.crms.product import KEY
from tests.crms.rig import CrmRig
from tests.crms.rigs import ALL
from tests.crms.site import RunningCrms
from tests.live.conftest import free_port
from tests.workers.test_manifests import CONFIG

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("crms")]
SECONDS = 40.0
MANIFESTS = load_manifests(CONFIG)
every_crm = pytest.mark.parametrize("of", ALL, ids=lambda of: of.name)


def did_of(rig: CrmRig) -> str:
    return f"+331423451{ALL.index(rig):02d}"


def rule_of(rig: CrmRig) -> str:
    lines = ", ".join(
        f'{{ operator = "=", value = "{tier}", destination = "queue", option = "{tier.lower()}" }}'
        for tier in ("Gold", "Silver", "Bronze")
    )
    return f"""
[[numbers]]
did = "{did_of(rig)}"
rule = "{rig.name}"
[[rules]]
name = "{rig.name}"
field = "{rig.tier}"
source = {{ integration = "{rig.name}", modules = ["{rig.contacts}"] }}
default = {{ destination = "ivr", option = "main" }}
lines = [{lines}]
"""


@pytest.fixture(scope="module")
def crms() -> Iterator[RunningCrms]:
    running = RunningCrms(ALL)
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def site(pbx: RunningAsterisk, crms: RunningCrms, site_folder: Callable[[], Path]) -> Iterator[Site]:
    with Site(site_folder(), [pbx], free_port()) as running:
        head = 'country = "FR"\nzone = "Europe/Paris"\ndefault = { destination = "ivr", option = "main" }\n'
        tenant = head + crms.integrations() + "".join(map(rule_of, ALL))
        (running.config / "tenants" / "acme.toml").write_text(tenant)
        running.write_local_settings(f'[vault]\nkeys = ["{KEY}"]\nfolder = "{running.folder / "grants"}"\n')
        settings = load_settings(running.config, running.environment())
        running.start_worker()
        crms.put_grants(running.config, settings.redis)
        running.start_router()
        yield running


@pytest.fixture(scope="module")
def decisions(pbx: RunningAsterisk, site: Site) -> dict[str, dict[str, Any]]:
    """Alice has called every number, and hung up; by the number that she dialled."""
    with ExitStack() as stack:
        alice = [Caller(people.ALICE)]
        placed = {
            rig.name: stack.enter_context(start_calls(pbx.sip_port, did_of(rig), callers=alice, stay_ms=4000))
            for rig in ALL
        }
        counts = {name: calls.wait(SECONDS) for name, calls in placed.items()}
    assert {name: one.errors for name, one in counts.items() if one.failed or not one.successful} == {}
    wait_until(lambda: ended(pbx) >= len(ALL), SECONDS, "all calls have ended")
    wait_until(lambda: len(site.ask("calls", "-n", "100")) >= len(ALL), SECONDS, "all decisions are written")
    return {decision["called"]: decision for decision in site.ask("calls", "-n", "100")}


def ended(pbx: RunningAsterisk) -> int:
    return sum(line.what == "gone" for line in pbx.ledger())


@every_crm
def test_the_gold_customer_reaches_the_gold_queue(
    of: CrmRig, pbx: RunningAsterisk, decisions: dict[str, dict[str, Any]]
) -> None:
    decision = decisions[did_of(of)]

    assert pbx.fates()[decision["call_id"], 1] == ["taken route-queue/gold/1"], decision
    assert decision["value"] == of.tier_value("Gold")
    assert decision["lookup"]["record_name"] == "Alice Martin"


@every_crm
def test_the_finished_call_is_in_the_crm(
    of: CrmRig, crms: RunningCrms, decisions: dict[str, dict[str, Any]]
) -> None:
    """As its own call activity, on the caller's record, with the decision in one line."""
    if "log_call" not in MANIFESTS[of.slug].abilities or "log_call" in of.lacks:
        pytest.skip("this CRM keeps no calls")
    crm = crms.by_name[of.name]

    wait_until(lambda: bool(crm.logged()), SECONDS, f"{of.name} has the call")

    (kept,) = crm.logged()
    assert people.ALICE in kept.subject
    assert kept.person == 1
    assert "queue gold" in kept.text.casefold()
    assert "line 1 holds" in kept.text
