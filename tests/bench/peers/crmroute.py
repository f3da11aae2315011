"""crmroute itself: one router, one worker and the embedded Redis, with the settings it is shipped with."""

from collections.abc import Mapping

from deploy.rig.sample_site import Site
from tests.bench.dialplan import did_of
from tests.bench.peers.peer import Peer

_TENANT = """
name = "Bench {tenant}"
country = "FR"
zone = "Europe/Paris"
default = {{ destination = "queue", option = "default" }}

[[integrations]]
name = "levels"
connector = "custom"
settings = {{ url = "{crm}/lookup", parameters = {{ caller = "caller" }} }}

[[numbers]]
did = "{did}"
rule = "Customer level"

[[rules]]
name = "Customer level"
field = "status"
source = {{ integration = "levels" }}
default = {{ destination = "queue", option = "default" }}
{rule}
lines = [
  {{ operator = "=", value = "GOLD", destination = "queue", option = "gold" }},
  {{ operator = "=", value = "SILVER", destination = "queue", option = "silver" }},
  {{ operator = "=", value = "BRONZE", destination = "queue", option = "bronze" }},
]
"""
SETTINGS = '[destinations]\nqueue = "bench-land,{option},1"\n'


def write_tenant(site: Site, tenant: int, crm: str, rule: str = "") -> None:
    """`rule`: further lines of the rule."""
    text = _TENANT.format(tenant=tenant, crm=crm, did=did_of(Crmroute.name, tenant), rule=rule)
    (site.config / "tenants" / f"bench{tenant}.toml").write_text(text)


class Crmroute(Peer):
    name = "crmroute"
    title = "crmroute"
    remembers = True

    def dialplan(self, tenant: int) -> str:
        return f"""
 same => n,Set(ROUTE_DID=${{FILTER(+0-9,${{EXTEN}}):0:40}})
 same => n,Set(ROUTE_TENANT=bench{tenant})
 same => n,Set(ROUTE_DEFAULT=bench-land,default,1)
 same => n,Goto(route-hold,s,1)
"""

    def settings(self) -> str:
        return SETTINGS

    def start(self, site: Site) -> Mapping[str, int]:
        for tenant, crm in enumerate(self.crms):
            write_tenant(site, tenant, crm)
        router, worker = site.start_router(), site.start_worker()
        return {"router": router.pid, "worker": worker.pid, "redis": site.redis_pid()}
