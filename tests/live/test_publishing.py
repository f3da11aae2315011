"""Tenants from the records on a real Asterisk: what is published decides the next call, and loses none."""

import itertools
import re
import socket
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from deploy.rig import demo
from deploy.rig.asterisk import RunningAsterisk
from deploy.rig.callers import Caller, place_calls, start_calls
from deploy.rig.sample_site import Site, wait_until
from tests.live.conftest import free_port

pytestmark = [pytest.mark.live, pytest.mark.xdist_group("publishing")]

LEVEL = "+33142345001"
SECONDS = 30.0
TAKEN = re.compile(r"taken route-queue/(\w+)/1")


@pytest.fixture(scope="module")
def site(pbx: RunningAsterisk, site_folder: Callable[[], Path]) -> Iterator[Site]:
    folder = site_folder()
    records = f'[tenants]\nsource = "records"\n[records]\nurl = "sqlite:///{folder}/records.db"\n'
    with Site(folder, [pbx], free_port()) as running:
        running.write_local_settings(records)
        running.ask("apply", "--yes")
        running.start_crm()
        running.start_worker()
        running.start_router()
        yield running


@pytest.fixture(autouse=True)
def afterwards(site: Site) -> Iterator[None]:
    """The sample tenant is as it was."""
    yield
    send_gold_to(site, "gold")


def send_gold_to(site: Site, queue: str) -> None:
    path = site.config / "tenants" / "acme.toml"
    text = re.sub(
        r'(value = "GOLD", destination = "queue", option = )"\w+", queue_priority',
        rf'\1"{queue}", queue_priority',
        path.read_text(),
        count=1,
    )
    path.write_text(text)
    site.ask("apply", "--yes")


def queues(pbx: RunningAsterisk, skipping: int = 0) -> list[str]:
    """Where the calls went, as they were parked; of what went elsewhere, the ledger's own words."""
    listed = list(pbx.fates().values())[skipping:]
    return [match[1] if (match := TAKEN.fullmatch(fate[0])) else fate[0] for fate in listed if fate]


def call(pbx: RunningAsterisk) -> str:
    before = len(pbx.fates())
    place_calls(pbx.sip_port, LEVEL, callers=[Caller(demo.GOLD)], stay_ms=200)
    wait_until(lambda: len(queues(pbx, before)) == 1, SECONDS, "the call's fate")
    return queues(pbx, before)[0]


def test_what_is_published_decides_the_next_call(pbx: RunningAsterisk, site: Site) -> None:
    assert call(pbx) == "gold"

    for queue in ("silver", "bronze"):
        send_gold_to(site, queue)
        assert call(pbx) == queue


def test_a_decision_leads_to_the_publication_that_it_was_made_by(pbx: RunningAsterisk, site: Site) -> None:
    digests = []
    for queue in ("gold", "silver"):
        send_gold_to(site, queue)
        call(pbx)
        wait_until(lambda: bool(site.ask("calls", "-n", "1")), SECONDS, "the decision")
        digests.append(site.ask("calls", "-n", "1")[-1]["plan"])

    assert digests[0] != digests[1]


def test_publishing_under_load_loses_no_call_and_moves_each_to_one_version_s_place(
    pbx: RunningAsterisk, site: Site
) -> None:
    before = len(pbx.fates())
    with start_calls(
        pbx.sip_port, LEVEL, callers=[Caller(demo.GOLD)], count=300, rate=50, stay_ms=300
    ) as calls:
        for queue in itertools.islice(itertools.cycle(("silver", "bronze")), 4):
            send_gold_to(site, queue)
        counts = calls.wait()
    wait_until(lambda: len(queues(pbx, before)) == 300, SECONDS, "all calls have a fate")

    assert (counts.successful, counts.failed) == (300, 0)
    assert set(queues(pbx, before)) <= {"gold", "silver", "bronze"}
    tell_delays(site)


def tell_delays(site: Site) -> None:
    """How long after each publication the first call was decided by it; `pytest -s` shows it."""
    made: dict[str, float] = {}
    with closing(sqlite3.connect(f"file:{site.folder}/records.db?mode=ro", uri=True)) as records:
        made |= records.execute("SELECT digest, made_at FROM publications ORDER BY id").fetchall()
    parked: dict[str, list[float]] = {}
    for decision in site.ask("calls", "-n", "400"):
        parked.setdefault(decision["plan"], []).append(decision["parked_at"])
    delays = [
        min(later) - at for plan, at in made.items() if (later := [m for m in parked.get(plan, ()) if m > at])
    ]
    print("\nfirst call by a publication after", *(f"{one:.2f} s" for one in delays))


def test_an_emptied_redis_changes_nobody_s_routing(pbx: RunningAsterisk, site: Site) -> None:
    send_gold_to(site, "silver")
    forget(site.folder / "redis" / "redis.sock")

    # Look-ups need a moment to find each other again; the tenant is known all the while.
    wait_until(lambda: call(pbx) == "silver", SECONDS, "calls go by the published rule")


def forget(path: Path) -> None:
    """FLUSHALL."""
    with socket.socket(socket.AF_UNIX) as wire:
        wire.connect(str(path))
        wire.sendall(b"FLUSHALL\r\n")
        assert wire.recv(100).startswith(b"+OK")
