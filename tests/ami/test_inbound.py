"""What Asterisk's messages mean: the fields of each event, and which messages are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.ami.inbound import Heard, Unusable, hear, listed_call, unescape, waiting_channel
from router.ami.messages import AmiMessage, parse_message
from router.core.call_ends import CallStage, CallSummary
from router.core.events import (
    AskedFor,
    CallAsking,
    CallDefaulted,
    CallerHungUp,
    CallParked,
    CallTaken,
    DefaultedWhy,
)
from router.core.identities import ChannelName, ServerName, TenantId, Uniqueid
from tests.ami.scripted_server import channel_row, message, parked_event, parked_state, user_event

SERVER = ServerName("pbx-a")
NOW = 1_700_000_000.0


def read(raw: bytes) -> AmiMessage:
    parsed = parse_message(raw.removesuffix(b"\r\n\r\n"))
    assert parsed is not None
    return parsed


def heard(raw: bytes, now: float = NOW) -> Any:
    result = hear(read(raw), SERVER, now)
    assert isinstance(result, Heard), result
    return result.event


def refused(raw: bytes) -> str:
    result = hear(read(raw), SERVER, NOW)
    assert isinstance(result, Unusable), result
    return result.reason


def test_parked_carries_every_field() -> None:
    raw = parked_event(
        "pbx-a-1700000000.17",
        Entry="support",
        From="+33612345678",
        Pres="prohib_not_screened",
        N="2",
        HoldMs="4500",
        Digits="0042",
        Asked="keyed",
        CallerIDName="Zoé",
    )

    assert heard(raw) == CallParked(
        server=SERVER,
        channel=ChannelName("PJSIP/trunk-pbx-a-1700000000.17"),
        uniqueid=Uniqueid("pbx-a-1700000000.17"),
        linkedid=Uniqueid("pbx-a-1700000000.17"),
        tenant=TenantId("acme"),
        did="33180000000",
        entry="support",
        caller_number="+33612345678",
        presentation="prohib_not_screened",
        caller_name="Zoé",
        parking=2,
        hold_seconds=4.5,
        digits="0042",
        asked=AskedFor.KEYED,
    )


@pytest.mark.parametrize(
    ("name", "fields", "event"),
    [
        ("RouteAsking", {"N": "3"}, CallAsking(3)),
        ("RouteTaken", {"N": "1", "To": "route-queue/gold/1"}, CallTaken(1, "route-queue/gold/1")),
        ("RouteGone", {"N": "1", "Where": "parked"}, CallerHungUp(1)),
        (
            "RouteDefaulted",
            {"N": "1", "Claim": "2", "Why": "grace", "To": "last-resort"},
            CallDefaulted(1, DefaultedWhy.GRACE, "last-resort"),
        ),
    ],
)
def test_other_events_say_what_happened(name: str, fields: dict[str, str], event: object) -> None:
    assert heard(user_event(name, "1.1", **fields)) == event


GONE = {
    "N": "2",
    "Where": "landed",
    "Tenant": "acme",
    "Secs": "75",
    "TalkMs": "61250",
    "Moved": "0",
    "Caller": "1",
    "Dial": "ANSWER",
    "Mail": "",
    "Conf": "",
}


def test_end_of_a_call_says_how_it_went() -> None:
    assert heard(user_event("RouteGone", "1.1", **GONE)) == CallerHungUp(
        2,
        CallSummary(
            tenant=TenantId("acme"),
            stage=CallStage.LANDED,
            seconds=75,
            talk_seconds=61.25,
            is_hung_up=True,
            dial_status="ANSWER",
        ),
    )


def test_end_of_a_call_says_what_else_happened() -> None:
    said = {"Moved": "1", "Caller": "0", "Dial": "", "Mail": "SUCCESS", "Conf": "HANGUP"}

    summary = heard(user_event("RouteGone", "1.1", **(GONE | said))).summary

    assert (summary.is_transferred, summary.is_hung_up) == (True, False)
    assert (summary.voicemail_status, summary.conference_result) == ("SUCCESS", "HANGUP")


@pytest.mark.parametrize("field", [name for name in GONE if name != "N"])
def test_dialplan_that_tells_less_ends_the_call_all_the_same(field: str) -> None:
    fields = {name: value for name, value in GONE.items() if name != field}

    assert heard(user_event("RouteGone", "1.1", **fields)) == CallerHungUp(2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Tenant", ""),
        ("Tenant", "rival\nx"),
        ("Where", "elsewhere"),
        ("Secs", "1700000000"),  # parked by a dialplan that kept no start
        ("Secs", "-1"),
        ("TalkMs", "9" * 10),
        ("TalkMs", "1.5"),
        ("Moved", "yes"),
        ("Caller", ""),
        ("Dial", "answer"),
        ("Mail", "S" * 21),
        ("Conf", "HANG UP"),
    ],
)
def test_what_cannot_be_of_a_call_that_is_over_tells_nothing(field: str, value: str) -> None:
    assert heard(user_event("RouteGone", "1.1", **(GONE | {field: value}))) == CallerHungUp(2)


@pytest.mark.parametrize("why", list(DefaultedWhy))
def test_every_reason_of_the_dialplan_is_known(why: DefaultedWhy) -> None:
    raw = user_event("RouteDefaulted", "1.1", N="1", Claim="1", Why=why.value, To="last-resort")

    assert heard(raw).why is why


@pytest.mark.parametrize(
    "raw",
    [
        message({"Event": "Hangup", "UserEvent": "RouteParked"}),
        message({"Response": "Success"}),
        user_event("QueueThing", "1.1"),
        user_event("routeparked", "1.1"),
    ],
)
def test_messages_of_others_are_none_of_ours(raw: bytes) -> None:
    assert hear(read(raw), SERVER, NOW) is None


@pytest.mark.parametrize("version", ["0", "2", "", "1.0"])
def test_other_versions_of_the_protocol_are_refused(version: str) -> None:
    raw = parked_event("1.1").replace(b"\r\nV: 1\r\n", f"\r\nV: {version}\r\n".encode())

    assert refused(raw) == "V is not 1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("Tenant", ""),
        ("Tenant", "Acme"),
        ("Tenant", "a" * 41),
        ("Tenant", "rival\nx"),
        ("Did", "33 18"),
        ("Did", "1" * 41),
        ("Entry", "a b"),
        ("From", "<script>"),
        ("From", "3" * 41),
        ("Pres", "Allowed"),
        ("N", "0"),
        ("N", "-1"),
        ("N", "1.5"),
        ("N", "१"),
        ("N", ""),
        ("HoldMs", "6s"),
        ("HoldMs", "1" * 7),
        ("Digits", "12*"),
        ("Asked", "maybe"),
        ("Channel", ""),
    ],
)
def test_malformed_fields_are_refused_by_name(field: str, value: str) -> None:
    assert refused(parked_event("1.1", **{field: value})) == f"{field.lower()} is malformed"


def test_unknown_reason_of_a_default_is_refused() -> None:
    raw = user_event("RouteDefaulted", "1.1", N="1", Claim="1", Why="boredom", To="last-resort")

    assert refused(raw) == "why is malformed"


@pytest.mark.parametrize(
    ("timestamp", "hold_seconds"),
    [
        ("1699999998.0", 4.0),  # two seconds on its way
        ("1699999990.0", 0.0),  # later than its hold
        ("1700000001.0", 6.0),  # from the future: our measure is a little off
        ("1699996400.0", 6.0),  # an hour old: Asterisk's clock was set
        ("nonsense", 6.0),
    ],
)
def test_time_spent_on_the_way_is_not_left_of_the_hold(timestamp: str, hold_seconds: float) -> None:
    assert heard(parked_event("1.1", Timestamp=timestamp)).hold_seconds == hold_seconds


def test_name_that_asterisk_does_not_know_is_empty() -> None:
    assert heard(parked_event("1.1", CallerIDName="<unknown>")).caller_name == ""


@pytest.mark.parametrize(
    ("escaped", "name"),
    [
        (r"Bob \"the\" Builder", 'Bob "the" Builder'),
        (r"a\\b", r"a\b"),
        (r"a\\nb", r"a\nb"),
        (r"a\r\nTenant: rival", "a\r\nTenant: rival"),
        (r"it\'s \?", "it's ?"),
        ("lonely\\", "lonely\\"),
        (r"\q", r"\q"),
    ],
)
def test_names_are_unescaped(escaped: str, name: str) -> None:
    assert heard(parked_event("1.1", CallerIDName=escaped)).caller_name == name


@given(st.text())
def test_unescape_undoes_asterisks_escape(text: str) -> None:
    marks = {"\\": "\\", '"': '"', "'": "'", "?": "?"}
    marks |= {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}
    escaped = "".join("\\" + marks[sign] if sign in marks else sign for sign in text)

    assert unescape(escaped) == text


@given(st.dictionaries(st.sampled_from(["v", "n", "tenant", "channel", "holdms", "uniqueid"]), st.text()))
def test_hearing_never_raises(fields: dict[str, str]) -> None:
    named = {"event": "UserEvent", "userevent": "RouteParked", **fields}

    assert isinstance(hear(AmiMessage(named), SERVER, NOW), Unusable)


# Rows of CoreShowChannels, and what their channels hold


def listed(state: str, now: float = NOW, **headers: str) -> CallParked | Unusable:
    return listed_call(read(message(channel_row("1.1", **headers))), state, SERVER, now)


def test_listed_channel_is_a_parked_call_with_the_time_left() -> None:
    call = listed(
        "acme|+33142345001||+33639980001|allowed_not_screened|2|1700000004|6000|42|keyed",
        CallerIDName=r"Zo\"e",
    )

    assert call == CallParked(
        server=SERVER,
        channel=ChannelName("PJSIP/trunk-1.1"),
        uniqueid=Uniqueid("1.1"),
        linkedid=Uniqueid("1.1"),
        tenant=TenantId("acme"),
        did="+33142345001",
        entry="",
        caller_number="+33639980001",
        presentation="allowed_not_screened",
        caller_name='Zo"e',
        parking=2,
        hold_seconds=4.0,
        digits="42",
        asked=AskedFor.KEYED,
        is_resynced=True,
    )


@pytest.mark.parametrize(("ahead", "left"), [(-100, 0.0), (0, 0.0), (6, 6.0), (3600, 6.0)])
def test_time_left_is_between_nothing_and_the_hold(ahead: int, left: float) -> None:
    call = listed(parked_state(int(NOW) + ahead))

    assert isinstance(call, CallParked)
    assert call.hold_seconds == left


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        ("", "ROUTE_STATE has 1 parts instead of 10"),
        ("acme|1||2|allowed|1|1700000004|6000|", "ROUTE_STATE has 9 parts instead of 10"),
        ("acme|1||2|allowed|1|1700000004|6000|||", "ROUTE_STATE has 11 parts instead of 10"),
        (parked_state(4, tenant="Not Ours"), "tenant is malformed"),
        (parked_state(4, n="0"), "n is malformed"),
        ("acme|1||2|allowed|1|soon|6000||", "deadline is malformed"),
        (parked_state(4, holdms=""), "holdms is malformed"),
        (parked_state(4, asked="often"), "asked is malformed"),
    ],
)
def test_state_that_the_dialplan_cannot_have_set_is_refused(state: str, reason: str) -> None:
    assert listed(state) == Unusable(reason)


def test_row_cannot_say_what_the_state_says() -> None:
    call = listed(parked_state(int(NOW)), Tenant="rival", N="7")

    assert isinstance(call, CallParked)
    assert (call.tenant, call.parking) == ("acme", 1)


@given(st.text(alphabet="|a1 -\n", max_size=40))
def test_listing_never_raises(state: str) -> None:
    assert isinstance(listed_call(AmiMessage({"channel": "a"}), state, SERVER, NOW), Unusable)


def test_channel_that_waits_is_asked() -> None:
    assert waiting_channel(read(message(channel_row("1.1")))) == "PJSIP/trunk-1.1"


@pytest.mark.parametrize("header", ["Context", "Application"])
def test_channel_elsewhere_is_not_asked(header: str) -> None:
    assert waiting_channel(read(message(channel_row("1.1", **{header: "other"})))) is None


@pytest.mark.parametrize("name", ["", "x" * 151])
def test_channel_without_a_usable_name_is_not_asked(name: str) -> None:
    row = read(message(channel_row("1.1", Channel=name)))

    assert waiting_channel(row) == Unusable("channel is malformed")
