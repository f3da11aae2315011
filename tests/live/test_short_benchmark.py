"""The short form of the benchmark: crmroute beside a peer, at the same time and on one Asterisk.

No time is asserted: whatever slows this machine slows both, and only the ratio of the two counts. What fails
twice has failed, as everywhere in the benchmark.
"""

import pytest

from tests.bench.short import baseline, has_fallen, measure

pytestmark = pytest.mark.live


def test_crmroute_keeps_its_place_beside_a_peer(rig: None) -> None:
    kept = baseline()
    measured = measure()
    if has_fallen(measured["ratio"], kept["ratio"]):
        measured = measure()

    assert set(measured["arrived"].values()) == {measured["calls"]}
    assert not has_fallen(measured["ratio"], kept["ratio"]), (
        f"crmroute is a third slower beside {measured['peer']} than it was: {measured}, baseline {kept};"
        " `python -m tests.bench.short --write` makes a new baseline where that is meant"
    )
