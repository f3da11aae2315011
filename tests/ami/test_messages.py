"""Bytes to messages: any bytes, split anywhere."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.ami.messages import MessageSplitter, parse_message
from router.ami.protocol import AmiProtocol

GREETING = b"Asterisk Call Manager/9.0.0\r\n"
# Bytes among which the borders of headers and messages are likely.
AMI_BYTES = st.lists(
    st.one_of(
        st.binary(max_size=6),
        st.sampled_from(
            [b"\r\n", b"\r\n\r\n", b"\r", b"\n", b": ", b"Event: X", b"Event: UserEvent", b"ActionID: 1"]
        ),
        st.sampled_from([b"Response: Success", "Zoé Ω".encode(), b"ChanVariable: ROUTE_N=1", b"x" * 30]),
    ),
    max_size=40,
).map(b"".join)


def pieces(data: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def read_all(parts: list[bytes], most_bytes: int) -> tuple[list[bytes], str | None, str]:
    splitter = MessageSplitter(most_bytes)
    messages = [message for part in parts for message in splitter.feed(part)]
    return messages, splitter.greeting, splitter.problem


@given(AMI_BYTES, st.lists(st.integers(0, 10_000), max_size=30), st.booleans(), st.integers(5, 60))
def test_any_bytes_split_anywhere_give_the_same_messages(
    data: bytes, cuts: list[int], is_greeted: bool, most_bytes: int
) -> None:
    data = GREETING + data if is_greeted else data

    assert read_all(pieces(data, cuts), most_bytes) == read_all([data], most_bytes)


@given(AMI_BYTES)
def test_every_byte_by_itself_gives_the_same_messages(data: bytes) -> None:
    data = GREETING + data

    assert read_all([data[n : n + 1] for n in range(len(data))], 50) == read_all([data], 50)


@given(
    st.lists(
        st.binary(min_size=1, max_size=40).filter(lambda raw: b"\r\n" not in raw and not raw.endswith(b"\r"))
    )
)
def test_messages_are_what_stands_between_empty_lines(bodies: list[bytes]) -> None:
    written = [b"Event: X\r\n" + body for body in bodies]

    messages, greeting, problem = read_all([GREETING + b"".join(w + b"\r\n\r\n" for w in written)], 10_000)

    assert (messages, greeting, problem) == (written, "9.0.0", "")


@given(st.one_of(AMI_BYTES, st.binary()))
def test_parsing_never_raises(raw: bytes) -> None:
    message = parse_message(raw)

    assert message is None or "event" in message.headers or "response" in message.headers


class DeadTransport(asyncio.Transport):
    def abort(self) -> None: ...


class DeafListener:
    def __init__(self) -> None:
        self.ends = 0

    def on_greeting(self) -> None: ...

    def on_event(self, message: object) -> None:
        raise RuntimeError("a listener that fails")

    def on_end(self, problem: str) -> None:
        self.ends += 1


@given(st.lists(st.one_of(AMI_BYTES, st.binary()), max_size=5), st.booleans())
@settings(deadline=None)
async def test_reader_never_raises_on_any_bytes(parts: list[bytes], is_greeted: bool) -> None:
    """Even where the listener fails at every event; and it ends at most once."""
    listener = DeafListener()
    protocol = AmiProtocol("pbx-a", listener, lambda: None)
    protocol.connection_made(DeadTransport())

    for part in [GREETING, *parts] if is_greeted else parts:
        protocol.data_received(part)
    protocol.connection_lost(None)
    protocol.connection_lost(OSError("again"))

    assert listener.ends == 1


@pytest.mark.parametrize("most", [20, 21])
def test_message_of_exactly_the_limit_passes_however_it_is_cut(most: int) -> None:
    raw = b"Event: " + b"x" * (most - 7)

    for cut in range(len(raw) + 4):
        data = raw + b"\r\n\r\n"
        splitter = MessageSplitter(most)
        splitter.feed(GREETING)

        assert splitter.feed(data[:cut]) + splitter.feed(data[cut:]) == [raw]
        assert splitter.problem == ""


def test_message_above_the_limit_is_a_problem_and_what_came_before_stays() -> None:
    splitter = MessageSplitter(20)

    messages = splitter.feed(GREETING + b"Event: A\r\n\r\nEvent: " + b"x" * 17)

    assert messages == [b"Event: A"]
    assert splitter.problem == "a message of more than 20 bytes"
    assert splitter.feed(b"\r\n\r\nEvent: B\r\n\r\n") == []


@pytest.mark.parametrize(
    "said", [b"HTTP/1.1 400 Bad Request\r\n", b"220 mail ready\r\n", b"\r\n", GREETING[:22] + b"9" * 300]
)
def test_other_greetings_are_a_problem(said: bytes) -> None:
    splitter = MessageSplitter()

    splitter.feed(said)

    assert splitter.problem == "what answers there does not speak AMI"


def test_half_a_greeting_is_waited_for() -> None:
    splitter = MessageSplitter()

    splitter.feed(GREETING[:11])

    assert (splitter.greeting, splitter.problem) == (None, "")


def test_first_of_a_repeated_header_counts() -> None:
    message = parse_message(b"Event: X\r\nLanguage: en\r\nLANGUAGE: fr")

    assert message is not None
    assert message.get("language") == "en"
    assert message.repeated == ""


@pytest.mark.parametrize("line", [b"event: Y", b"EVENT : Y", b" Event: Y", b"Event:Y"])
def test_header_is_repeated_however_it_is_written(line: bytes) -> None:
    message = parse_message(b"Event: X\r\n" + line)

    assert message is not None
    assert message.repeated == "event"


def test_value_keeps_what_follows_a_colon_and_an_equals_sign() -> None:
    message = parse_message(b"Event: X\r\nTo: a: b\r\nValue: 1=2|")

    assert message is not None
    assert message.get("to") == "a: b"
    assert message.get("value") == "1=2|"


def test_variables_that_a_site_has_in_every_event_are_no_repeated_header() -> None:
    message = parse_message(b"Event: X\r\nChanVariable: A=1\r\nChanVariable: B=2\r\nUniqueid: 1.1")

    assert message is not None
    assert message.get("uniqueid") == "1.1"
    assert message.repeated == ""


@pytest.mark.parametrize("raw", [b"", b"\r\n", b"Message: nothing", b"Asterisk Call Manager/9.0.0"])
def test_what_is_neither_event_nor_response_is_no_message(raw: bytes) -> None:
    assert parse_message(raw) is None
