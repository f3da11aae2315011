"""How a call ended: the table of what the dialplan can say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from router.core.call_ends import CallStage, CallSummary, end_of, talk_seconds_of
from router.core.call_logs import CallEnd
from tests.core.makers import ACME

PARKED, ASKING, LANDED, DEFAULTED = CallStage
ANSWERED, MISSED, ABANDONED, VOICEMAIL = CallEnd

OVER = CallSummary(tenant=ACME, stage=LANDED, seconds=60)


def over(stage: CallStage = LANDED, **said: object) -> CallSummary:
    return replace(OVER, stage=stage, **said)


# Factors: the stage, whether anybody talked, what VoiceMail, Dial and ConfBridge left, who hung up, and
# whether the rule's destination is a voicemail box.
ENDINGS: dict[str, tuple[CallSummary, bool, CallEnd]] = {
    "hung up while parked": (over(PARKED, is_hung_up=True), False, ABANDONED),
    "ended while parked, by whom nobody knows": (over(PARKED), False, ABANDONED),
    "hung up at the greeting": (over(ASKING, is_hung_up=True), False, ABANDONED),
    "hung up while parked, on the way to voicemail": (over(PARKED, is_hung_up=True), True, ABANDONED),
    "parked again after a talk": (over(PARKED, is_hung_up=True, talk_seconds=9.0), False, ANSWERED),
    "talked, then hung up": (over(talk_seconds=12.0, is_hung_up=True), False, ANSWERED),
    "talked, the other side hung up": (over(talk_seconds=12.0), False, ANSWERED),
    "talked for less than a second": (over(talk_seconds=0.2), False, ANSWERED),
    "talked at the default": (over(DEFAULTED, talk_seconds=12.0), False, ANSWERED),
    "talked, then a voicemail box": (over(talk_seconds=3.0, voicemail_status="SUCCESS"), False, ANSWERED),
    "handed on to a phone that nobody took": (
        over(is_transferred=True, dial_status="NOANSWER"),
        False,
        ANSWERED,
    ),
    "in a conference": (over(conference_result="HANGUP", is_hung_up=True), False, ANSWERED),
    "a conference that could not be had": (over(conference_result="FAILED"), False, MISSED),
    "waited in a queue and hung up": (over(is_hung_up=True), False, ABANDONED),
    "waited at the default and hung up": (over(DEFAULTED, is_hung_up=True), False, ABANDONED),
    "a phone rang and the caller hung up": (over(is_hung_up=True, dial_status="CANCEL"), False, MISSED),
    "a phone rang, then a queue, then hung up": (
        over(is_hung_up=True, dial_status="NOANSWER"),
        False,
        ABANDONED,
    ),
    "every destination had its turn": (over(DEFAULTED), False, MISSED),
    "a phone rang until the end": (over(dial_status="NOANSWER"), False, MISSED),
    "left a message where the rule sent it": (over(voicemail_status="SUCCESS"), True, VOICEMAIL),
    "hung up in the greeting of the box": (over(voicemail_status="FAILED", is_hung_up=True), True, VOICEMAIL),
    "a box that is no VoiceMail": (over(talk_seconds=20.0, dial_status="ANSWER"), True, VOICEMAIL),
    "left the box for a person": (over(talk_seconds=20.0, voicemail_status="USEREXIT"), True, ANSWERED),
    "left the box for nobody": (over(voicemail_status="USEREXIT", is_hung_up=True), True, ABANDONED),
    "meant for a box, taken elsewhere": (over(DEFAULTED, is_hung_up=True), True, ABANDONED),
    "meant for a box, taken elsewhere and answered": (over(DEFAULTED, talk_seconds=5.0), True, ANSWERED),
    "a queue that ends in a box": (over(voicemail_status="SUCCESS"), False, VOICEMAIL),
    "hung up in the greeting of such a box": (
        over(voicemail_status="FAILED", is_hung_up=True),
        False,
        VOICEMAIL,
    ),
    "the default is a box": (over(DEFAULTED, voicemail_status="SUCCESS"), False, VOICEMAIL),
    "a box that does not exist": (over(DEFAULTED, voicemail_status="FAILED"), False, MISSED),
}


@pytest.mark.parametrize("name", ENDINGS)
def test_the_end_of_a_call(name: str) -> None:
    summary, is_for_voicemail, end = ENDINGS[name]

    assert end_of(summary, is_for_voicemail) is end


@pytest.mark.parametrize(
    ("summary", "to_destination", "seconds"),
    [
        (over(talk_seconds=12.4), 3.0, 12),
        (over(talk_seconds=12.6), 3.0, 13),
        (over(talk_seconds=0.2), 3.0, 0),
        (over(talk_seconds=3600.0), 3.0, 60),  # Asterisk's clock was set
        (over(), 3.0, 0),
        (over(is_transferred=True), 3.0, 0),
        (over(conference_result="HANGUP"), 2.6, 57),
        (over(conference_result="HANGUP", talk_seconds=5.0), 2.6, 5),
        (over(conference_result="HANGUP"), 61.0, 0),
    ],
)
def test_seconds_talked(summary: CallSummary, to_destination: float, seconds: int) -> None:
    assert talk_seconds_of(summary, to_destination) == seconds


WORDS = st.sampled_from(["", "SUCCESS", "FAILED", "USEREXIT", "CANCEL", "NOANSWER", "HANGUP", "ANYTHING"])


@given(
    st.builds(
        over,
        st.sampled_from(CallStage),
        talk_seconds=st.floats(0, 1e6),
        is_transferred=st.booleans(),
        is_hung_up=st.booleans(),
        dial_status=WORDS,
        voicemail_status=WORDS,
        conference_result=WORDS,
    ),
    st.booleans(),
)
def test_whatever_is_said_only_a_call_with_a_talk_is_answered(
    summary: CallSummary, for_voicemail: bool
) -> None:
    end = end_of(summary, for_voicemail)

    assert end is not ANSWERED or summary.is_talked
    assert 0 <= talk_seconds_of(summary, 1.0) <= summary.seconds
