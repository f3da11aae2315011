"""The way of every benchmark's call: a trunk of its own, a peer's lines, and the same places to land.

Asterisk says `BenchEntered` when a call comes in and `BenchLanded` where it arrives, for every peer at the
same two places. Landing costs next to nothing: what a queue or a phone costs Asterisk afterwards is not what
is measured.
"""

from collections.abc import Iterable

from deploy.rig.callers import Caller

TRUNK_ADDRESS = "127.0.0.2"
"""SIPp's address, which the trunk's endpoint is known by."""
LEVELS = ("gold", "silver", "bronze")

TRUNK = f"""
[trunk-bench]
type = endpoint
transport = transport-udp
context = from-bench
disallow = all
allow = ulaw,alaw
trust_id_inbound = yes
direct_media = no
media_address = 127.0.0.1
bind_rtp_to_media_address = yes

[trunk-bench]
type = identify
endpoint = trunk-bench
match = {TRUNK_ADDRESS}
"""

ACCOUNT = """
[bench]
secret = {secret}
deny = 0.0.0.0/0.0.0.0
permit = 127.0.0.1/255.255.255.255
read = user,system
write =
writetimeout = 5000
eventfilter(action(include),name(UserEvent),header(UserEvent),method(starts_with)) = Bench
eventfilter(action(include),name(UserEvent),header(UserEvent),method(exact)) = RouteParked
"""
"""Who listens. Of crmroute's own events only the one that the wait begins with."""

_LANDING = """
[bench-land]
"""
_PLACE = """
exten => {place},1,NoOp()
 same => n,NoOp()
 same => n,UserEvent(BenchLanded,At: {place})
 same => n,Answer()
 same => n,Wait(20)
"""
_NUMBERS = {"crmroute": 0, "curl": 1, "fastagi": 2, "agi": 3, "ari": 4, "direct": 5}


def did_of(peer: str, tenant: int = 0) -> str:
    return f"+33142345{_NUMBERS[peer]}{tenant:02d}"


def expected(caller: str) -> str:
    """Where a caller belongs: the CRM tells the level by the number's last digit."""
    return LEVELS[int(caller[-1]) % len(LEVELS)]


def entry(peers: Iterable[tuple[str, int, str]]) -> str:
    """The trunk's context: for each peer and tenant its number, and its lines."""
    parts = ["\n[from-bench]"]
    for peer, tenant, lines in peers:
        parts.append(f"exten => {did_of(peer, tenant)},1,UserEvent(BenchEntered){lines.rstrip()}")
    places = "".join(_PLACE.format(place=place) for place in (*LEVELS, "default"))
    return "\n".join(parts) + "\n" + _LANDING + places


def callers(count: int, first: int) -> list[Caller]:
    """So many numbers that follow each other; below 90,000,000."""
    return [Caller(f"+336{first + number:08d}") for number in range(count)]
