"""No number that a Redirect may start at is missing where routers redirect to.

Asterisk goes from one priority to the next without a lock: it reads the number and writes it plus one. A
Redirect in between sets context and extension, and starts at the number behind the old place's. Fault 14 lost
3 calls of 10,000 so, before these numbers were there.
"""

import re

import pytest

from deploy.rig.asterisk import SAMPLES

_PLACE = re.compile(r"(?:exten => (?P<exten>[^,]+),1|same => (?P<at>n|\d+)(?:\([a-z]+\))?),(?P<what>.*)")


def priorities(context: str, exten: str) -> dict[int, str]:
    """What stands at each priority of an extension of crmroute.conf."""
    text = (SAMPLES / "crmroute.conf").read_text()
    section = text.partition(f"\n[{context}]\n")[2].partition("\n[")[0]
    found: dict[str, dict[int, str]] = {}
    current, number = "", 0
    for line in section.splitlines():
        match = _PLACE.fullmatch(line.strip())
        if match is None:
            continue
        if match["exten"]:
            current, number = match["exten"], 1
        else:
            number = number + 1 if match["at"] == "n" else int(match["at"])
        found.setdefault(current, {})[number] = match["what"]
    return found[exten]


@pytest.mark.parametrize("context", ["route-land", "route-ask"])
def test_redirect_between_two_priorities_of_the_wait_starts_at_the_beginning(context: str) -> None:
    hold = priorities("route-hold", "s")
    parked_at = next(number for number, what in hold.items() if "UserEvent(RouteParked" in what)
    behind = [number + 1 for number in hold if number >= parked_at]

    places = priorities(context, "s")

    assert {places.get(number) for number in behind} == {"Goto(s,1)"}
    assert {places[1], places[2]} == {"NoOp()"}
