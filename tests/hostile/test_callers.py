"""What callers send: read, decided and sent on, it stays what it is, and the caller who he is."""

from datetime import UTC
from urllib.parse import urlsplit

import pytest

from router.ami.errors import UnsafeAction
from router.ami.inbound import Heard, hear
from router.ami.messages import MessageSplitter, parse_message
from router.ami.outbound import claim, move_actions, set_variable
from router.core.decide import lookup_job, park
from router.core.events import AskedFor, CallParked
from router.core.identities import ChannelName, ServerName
from router.core.moves import LAND, channel_text
from router.core.plans import TenantPlan
from router.core.rules import Location
from tests.core import makers
from tests.hostile.callers import CALLERS, HostileCaller, announced, decoded
from tests.hostile.promises import BEGUN, LIMITS, NOT_FOUND, ROUTER, TEMPLATES, require_wire, routed
from tests.hostile.texts import FORGED, TEXTS
from tests.workers.makers import settings
from workers.connectors import custom
from workers.connectors.steps import Account, Question
from workers.http import _address
from workers.masks import shown

GREETING = b"Asterisk Call Manager/9.0.0\r\n"
PLAN = TenantPlan(makers.tenant(makers.rule()), TEMPLATES, UTC)
ASKING = TenantPlan(
    makers.tenant(makers.rule(location=Location.IVR, greeting=makers.GREETING)), TEMPLATES, UTC
)


def heard_of(raw: bytes) -> list[Heard]:
    """What a router makes of these bytes."""
    messages = [parse_message(one) for one in MessageSplitter().feed(GREETING + raw)]
    believed = [one for one in messages if one is not None and not one.repeated]
    heard = [hear(one, ServerName("pbx-a"), 1_700_000_000.0) for one in believed]
    return [one for one in heard if isinstance(one, Heard)]


def test_there_are_five_hundred_of_them() -> None:
    assert len(set(CALLERS)) >= 500


@pytest.mark.parametrize("is_escaped", [True, False], ids=["escaped", "as-nobody-cleaned-it"])
def test_whoever_calls_is_who_he_is(is_escaped: bool) -> None:
    """A header of a caller's own is not believed: neither his tenant, nor his channel, nor his turn."""
    for caller in CALLERS:
        for heard in heard_of(announced(caller, is_escaped=is_escaped)):
            assert isinstance(heard.event, CallParked), caller
            assert heard.uniqueid == "pbx-a-1700000000.17", caller
            assert heard.event.channel == "PJSIP/trunk-pbx-a-1700000000.17", caller
            assert (heard.event.tenant, heard.event.parking, heard.event.hold_seconds) == ("acme", 1, 6.0)
            routed(heard.event, PLAN, NOT_FOUND)


def test_most_names_do_not_keep_a_call_from_being_heard() -> None:
    """Asterisk escapes a name: whatever it is, the call is parked like any other."""
    for text in (*TEXTS, *FORGED):
        (heard,) = heard_of(announced(HostileCaller(text, "0791234567", "0445550001"), is_escaped=True))
        assert isinstance(heard.event, CallParked)


@pytest.mark.parametrize("plan", [PLAN, ASKING], ids=["number", "entry"])
def test_every_call_reaches_a_place_of_its_tenant(plan: TenantPlan) -> None:
    """Even if the reader and the dialplan let everything through."""
    entry = "" if plan is PLAN else "account"
    for caller in map(decoded, CALLERS):
        for asked in (AskedFor.NOT_ASKED, AskedFor.KEYED):
            parked = makers.parked(
                did=caller.did, caller_number=caller.number, caller_name=caller.name, entry=entry,
                digits=caller.digits, asked=asked,
            )  # fmt: skip
            decision = routed(parked, plan, NOT_FOUND)
            assert decision.tenant == "acme"


def test_a_crm_is_asked_at_its_own_address() -> None:
    made = settings(parameters={name: name for name in custom.CARRIED})
    for caller in map(decoded, CALLERS):
        parked = makers.parked(caller_number=caller.number, caller_name=caller.name, digits=caller.digits)
        call = park(parked, PLAN, BEGUN, LIMITS, ROUTER)[0]
        assert call.rule_plan is not None
        request = next(custom.find(Account(made), Question(lookup_job(call, call.rule_plan, LIMITS), "CH")))
        address = str(_address(request))
        assert urlsplit(address).netloc == "crm.example"
        assert address.isascii()
        assert address.isprintable()
        assert shown(request).isprintable()


def test_no_text_passes_the_gate_as_more_than_a_value() -> None:
    """Whoever sends a text as it is: the gate refuses it, or it is one value of one header."""
    refused = 0
    for text in (*TEXTS, *FORGED):
        try:
            actions = [set_variable(ChannelName("PJSIP/trunk-1"), "ROUTE_VALUE", text)]
        except UnsafeAction:
            refused += 1
            continue
        require_wire(actions)
        assert actions[0]["Value"] == text
    assert refused > 60
    for text in TEXTS:
        with pytest.raises(UnsafeAction):
            set_variable(ChannelName("PJSIP/trunk-1"), text, "1")


def test_a_channels_name_makes_no_second_header() -> None:
    """A channel is named by its device: a name with a line end is refused before anything is sent."""
    for text in (*TEXTS, *FORGED):
        channel = ChannelName(f"PJSIP/{text}-00000001")
        try:
            actions = [
                claim(channel, 1),
                *move_actions(channel, [("ROUTE_VALUE", channel_text(text))], LAND),
            ]
        except UnsafeAction:
            continue
        require_wire(actions)
