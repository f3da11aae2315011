"""The tenants of the fault suite: one number, one rule, one CRM each, and the dialplan that leads to them.

A call to `did_of(7)` belongs to the tenant `t007`. What its CRM says decides the place, and a router moves
it there: GOLD to `TAKEN`, an error to `ERROR`, no answer in time to `LATE`, anything else to `OTHER`. What no
router moved is at `DEFAULTED`. Landing costs Asterisk next to nothing: the call is answered and waits.
"""

from pathlib import Path

TAKEN, OTHER = "fault-land/gold/1", "fault-land/other/1"
ERROR, LATE = "fault-land/error/1", "fault-land/late/1"
DEFAULTED = "fault-default/s/1"

INTEGRATION = "crm"
"""Of each tenant."""
TRUNK_ADDRESS = "127.0.0.2"
"""SIPp's address, which the trunk's endpoint is known by."""

DIALPLAN = """
[from-faults]
exten => _X!,1,Set(ROUTE_DID=${FILTER(+0-9,${EXTEN}):0:40})
 same => n,Goto(in-faults,s,1)
exten => _+X!,1,Set(ROUTE_DID=${FILTER(+0-9,${EXTEN}):0:40})
 same => n,Goto(in-faults,s,1)
exten => _[!-~][!-~]!,1,Set(ROUTE_DID=${FILTER(+0-9,${EXTEN}):0:40})
 same => n,Goto(in-faults,s,1)

; The number's middle names the tenant: +33142TTTNNN. A test's short cut; a site's trunk fixes its tenant.
[in-faults]
exten => s,1,NoOp()
 same => n,NoOp()
 same => n,Set(ROUTE_TENANT=t${FILTER(0-9,${ROUTE_DID:6:3})})
 same => n,Set(ROUTE_DEFAULT=fault-default,s,1)
 same => n,Goto(route-hold,s,1)

[fault-land]
exten => gold,1,NoOp()
 same => n,NoOp()
 same => n,Goto(fault-stay,s,1)
exten => other,1,NoOp()
 same => n,NoOp()
 same => n,Goto(fault-stay,s,1)
exten => error,1,NoOp()
 same => n,NoOp()
 same => n,Goto(fault-stay,s,1)
exten => late,1,NoOp()
 same => n,NoOp()
 same => n,Goto(fault-stay,s,1)
exten => i,1,Goto(route-default,s,1)
exten => e,1,Goto(route-default,s,1)

[fault-default]
exten => s,1,NoOp()
 same => n,NoOp()
 same => n,Goto(fault-stay,s,1)

[fault-stay]
exten => s,1,TryExec(Answer())
 same => n,Wait(20)
 same => n,Hangup()
"""

TRUNK = f"""
[trunk-faults]
type = endpoint
transport = transport-udp
context = from-faults
disallow = all
allow = ulaw,alaw
trust_id_inbound = yes
direct_media = no
media_address = 127.0.0.1
bind_rtp_to_media_address = yes

[trunk-faults]
type = identify
endpoint = trunk-faults
match = {TRUNK_ADDRESS}
"""

SETTINGS = """
[destinations]
queue = "fault-land,{option},1"
"""

_TENANT = """
name = "{name}"
country = "FR"
zone = "Europe/Paris"
default = {{ destination = "queue", option = "other" }}
{limits}
[[integrations]]
name = "crm"
connector = "custom"
cache = {{ {cache} }}
settings = {{ url = "{address}/t/{name}/lookup", parameters = {{ caller = "caller" }} }}

[[numbers]]
did = "{did}"
rule = "Level"

[[rules]]
name = "Level"
field = "status"
source = {{ integration = "crm" }}
default = {{ destination = "queue", option = "other" }}
{budget}
lines = [{{ operator = "=", value = "GOLD", destination = "queue", option = "gold" }}]

[rules.outcomes]
crm_error = {{ destination = "queue", option = "error" }}
timeout = {{ destination = "queue", option = "late" }}
"""


def did_of(tenant: int = 0) -> str:
    return f"+33142{tenant:03d}000"


def name_of(tenant: int = 0) -> str:
    return f"t{tenant:03d}"


def write_tenant(
    folder: Path,
    tenant: int,
    address: str,
    *,
    budget_seconds: float = 0.0,
    is_cached: bool = True,
    limits: str = "",
) -> None:
    """`address` is the CRM's, such as http://127.0.0.1:8091."""
    budget = f"lookup_seconds = {budget_seconds}" if budget_seconds else ""
    cache = "fresh_seconds = 300" if is_cached else "fresh_seconds = 0, stale_seconds = 0, absent_seconds = 0"
    text = _TENANT.format(
        name=name_of(tenant), did=did_of(tenant), address=address, budget=budget, cache=cache, limits=limits
    )
    written = folder / f"{name_of(tenant)}.tmp"
    written.write_text(text)
    written.rename(folder / f"{name_of(tenant)}.toml")
