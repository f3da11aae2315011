"""AMI's bytes as messages: where one ends, and what its headers say. Pure; it never raises on any bytes.

A message ends at an empty line (CR LF CR LF). Bytes are split there first and decoded afterwards, so a letter
that two packets share stays whole; bytes that are not UTF-8 become U+FFFD.

AMI has no escaping for most values: a caller's number with a line end in it would write headers of its own,
or write ours a second time. So of a header that stands twice the first one counts, and a message in which a
header that we decide by stands twice is not believed at all.
"""

from collections.abc import Mapping

from msgspec import Struct

GREETING = b"Asterisk Call Manager/"
MOST_MESSAGE_BYTES = 256 * 1024
"""Asterisk's longest message is 128 lines of 1,023 bytes."""
_MOST_GREETING_BYTES = 200

_END = b"\r\n\r\n"

# What we decide by, in lower case.
TRUSTED_HEADERS = frozenset(
    (
        *("event", "response", "actionid", "message", "value", "eventlist", "timestamp"),
        *("asteriskversion", "corestartupdate", "corestartuptime", "uptime"),
        *("userevent", "channel", "uniqueid", "linkedid", "calleridname", "context", "application"),
        *("v", "tenant", "did", "entry", "from", "pres", "n", "holdms", "digits", "asked"),
        *("to", "why", "claim", "where"),
    )
)


class AmiMessage(Struct, frozen=True):
    """Headers by their names in lower case, the first of each."""

    headers: Mapping[str, str]
    repeated: str = ""
    """A header we decide by that stands twice; empty when the message may be believed."""

    def get(self, name: str) -> str:
        """Empty when there is no such header."""
        return self.headers.get(name, "")

    @property
    def is_success(self) -> bool:
        return self.get("response") == "Success"


def parse_message(raw: bytes) -> AmiMessage | None:
    """One message without its empty line; None when it is neither an event nor a response."""
    headers: dict[str, str] = {}
    repeated = ""
    for line in raw.decode("utf-8", "replace").split("\r\n"):
        name, colon, value = line.partition(":")
        if not colon:
            continue
        name, value = name.strip().lower(), value.strip(" ")
        if name not in headers:
            headers[name] = value
        elif name in TRUSTED_HEADERS:
            repeated = name
    if "event" not in headers and "response" not in headers:
        return None
    if "event" in headers and "response" in headers:
        repeated = "response"  # Asterisk writes one of the two
    return AmiMessage(headers, repeated)


class MessageSplitter:
    """Takes bytes as they come, in any pieces, and gives whole messages."""

    def __init__(self, most_bytes: int = MOST_MESSAGE_BYTES) -> None:
        self.greeting: str | None = None
        """The protocol's version, once Asterisk greeted."""
        self.problem = ""
        """Set when these bytes are no AMI; nothing more is read then."""
        self._most_bytes = most_bytes
        self._waiting = bytearray()
        self._searched = 0

    def feed(self, data: bytes) -> list[bytes]:
        if self.problem:
            return []
        self._waiting += data
        if self.greeting is None and not self._greet():
            return []
        return self._messages()

    def _greet(self) -> bool:
        end = self._waiting.find(b"\r\n")
        known = min(len(self._waiting), len(GREETING))
        if self._waiting[:known] != GREETING[:known] or end > _MOST_GREETING_BYTES:
            self.problem = "what answers there does not speak AMI"
        elif end < 0:
            if len(self._waiting) > _MOST_GREETING_BYTES + 1:
                self.problem = "what answers there does not speak AMI"
        else:
            self.greeting = self._waiting[len(GREETING) : end].decode("ascii", "replace")
            del self._waiting[: end + 2]
            return True
        return False

    def _messages(self) -> list[bytes]:
        messages = []
        begin = 0
        while (end := self._waiting.find(_END, max(begin, self._searched))) >= 0:
            if end - begin > self._most_bytes:
                break
            messages.append(bytes(self._waiting[begin:end]))
            begin = end + len(_END)
        del self._waiting[:begin]
        # The empty line itself may be cut by a packet's border.
        unended = len(self._waiting) if end < 0 else end - begin
        if unended > self._most_bytes + (len(_END) - 1 if end < 0 else 0):
            self.problem = f"a message of more than {self._most_bytes} bytes"
            self._waiting.clear()
        self._searched = max(0, len(self._waiting) - len(_END) + 1)
        return messages
