"""Every name of a key in Redis.

A name holds a hash tag, which decides its slot on Cluster: all that belongs to one tenant lies in one slot
with the ring of its shard, so that a script may touch it in one step. On a single server the tags are only
part of the name.

    <prefix>:{s<shard>}:ready                       list: the ring, tenants with jobs that may be taken
    <prefix>:{s<shard>}:ringed                      set: the tenants on the ring
    <prefix>:{s<shard>}:later                       sorted set: tenants whose jobs must wait, by until when
    <prefix>:{s<shard>}:queued                      hash: how many jobs each tenant has, taken or not
    <prefix>:{s<shard>}:jobs                        hash: the jobs themselves
    <prefix>:{s<shard>}:lanes:<tenant>              sorted set: integrations with jobs, by their last turn
    <prefix>:{s<shard>}:waiting:<tenant>:<name>     sorted set: an integration's jobs, by newest question
    <prefix>:{s<shard>}:held:<tenant>:<name>        sorted set: those in workers' hands, by moment taken
    <prefix>:{s<shard>}:state:<tenant>:<name>       hash: the integration's breaker, and what it has spent
    <prefix>:{s<shard>}:waiters:<tenant>:<digest>   hash: who waits for one question
    <prefix>:{s<shard>}:cache:<tenant>:<digest>     string: its answer
    <prefix>:{s<shard>}:grant:<tenant>:<name>       hash: what signing in to a CRM brought, sealed
    <prefix>:{s<shard>}:grant-life:<tenant>:<name>  string: lives as long as that token does
    <prefix>:{s<shard>}:grant-lock:<tenant>:<name>  string: who signs in at this moment
    <prefix>:{s<shard>}:crm-health:<tenant>:<name>  hash: how a CRM did when it was asked last
    <prefix>:{s<shard>}:open-call:<tenant>:<call>   hash: a call that is not over yet, for the CRM's call log
    <prefix>:{s<shard>}:log-ring                    sorted set: integrations with calls to write, by turn
    <prefix>:{s<shard>}:log-tenants                 set: tenants with calls to write or given up
    <prefix>:{s<shard>}:log-call:<tenant>:<id>      hash: a finished call that is to be written
    <prefix>:{s<shard>}:log-seen:<tenant>:<id>      string: this call was put on the queue
    <prefix>:{s<shard>}:log-waiting:<tenant>:<name>  sorted set: an integration's ids, by when they are due
    <prefix>:{s<shard>}:log-held:<tenant>:<name>    sorted set: those in workers' hands, by their lease's end
    <prefix>:{s<shard>}:log-state:<tenant>:<name>   hash: how the integration fares
    <prefix>:{s<shard>}:log-failed:<tenant>         sorted set: ids and integrations that were given up
    <prefix>:{s<shard>}:log-names:<tenant>          set: integrations that any of these are of
    <prefix>:{s<shard>}:making:<tenant>:<caller>    string: the call that makes a record for this caller
    <prefix>:{r:<router>}:answers                   stream: a router's answers
    <prefix>:{e}:errands                            list: errands that no worker has taken
    <prefix>:{e}:errand:<id>                        string: somebody waits for this errand
    <prefix>:{e}:reply:<id>                         list: its reply
    <prefix>:{e}:sign-in:<state>                    string: a person's sign-in under way, sealed
    <prefix>:{p}:plan-numbers                       hash: each tenant's published number, and the board's mark
    <prefix>:{p}:plans                              hash: each tenant's published plan
    <prefix>:{p}:plan-news                          stream: the tenants whose plan changed, capped
    <prefix>:{w}:routers                            sorted set: routers, by when they told of themselves last
    <prefix>:{w}:servers                            sorted set: Asterisk servers, by when one told of them
    <prefix>:{w}:status:<router>                    string: how a router fares; lives for seconds
    <prefix>:{w}:lease:<server>                     string: who works on its calls; lives for seconds
    <prefix>:{w}:watched:<server>                   string: who else hears it; lives for seconds
    <prefix>:{d}:decisions                          stream: the latest decisions
    <prefix>:{d}:seen:<server>:<call>:<parking>     string: the end of this parking is recorded
"""

from zlib import crc32

from router.core.identities import IntegrationName, RouterName, ServerName, TenantId, Uniqueid
from router.core.plans import digest_of
from router.store.errors import StoreMisconfigured


class Keys:
    def __init__(self, prefix: str, shards: int) -> None:
        if not prefix or "{" in prefix or "}" in prefix:
            raise StoreMisconfigured(f"redis.prefix: {prefix!r} must be a text without braces")
        self.shards = shards
        self._prefix = prefix

    def shard(self, tenant: TenantId) -> int:
        """The same for every process: it depends on the tenant's name and the number of shards only."""
        return crc32(tenant.encode()) % self.shards

    def ready(self, shard: int) -> str:
        return f"{self._shard_prefix(shard)}ready"

    def queue(self, shard: int) -> tuple[str, ...]:
        """The shard's own keys, and the stems that `queue_prelude.lua` puts the rest of a name behind."""
        prefix = self._shard_prefix(shard)
        own = ("ready", "ringed", "later", "queued", "jobs")
        stems = ("lanes", "waiting", "held", "state", "waiters", "cache")
        return (*(f"{prefix}{name}" for name in own), *(f"{prefix}{stem}:" for stem in stems))

    def queued(self, shard: int) -> str:
        return f"{self._shard_prefix(shard)}queued"

    def jobs(self, shard: int) -> str:
        return f"{self._shard_prefix(shard)}jobs"

    def waiters(self, tenant: TenantId, digest: str) -> str:
        return f"{self._shard_prefix(self.shard(tenant))}waiters:{tenant}:{digest}"

    def cache(self, tenant: TenantId, digest: str) -> str:
        return f"{self._shard_prefix(self.shard(tenant))}cache:{tenant}:{digest}"

    def grant(self, tenant: TenantId, name: str) -> str:
        return f"{self._shard_prefix(self.shard(tenant))}grant:{tenant}:{name}"

    def grant_life(self, tenant: TenantId, name: str) -> str:
        return f"{self._shard_prefix(self.shard(tenant))}grant-life:{tenant}:{name}"

    def grant_lock(self, tenant: TenantId, name: str) -> str:
        return f"{self._shard_prefix(self.shard(tenant))}grant-lock:{tenant}:{name}"

    def crm_health(self, tenant: TenantId, integration: IntegrationName) -> str:
        return f"{self._shard_prefix(self.shard(tenant))}crm-health:{tenant}:{digest_of(integration)}"

    def open_call(self, tenant: TenantId, call_id: Uniqueid) -> str:
        return f"{self._shard_prefix(self.shard(tenant))}open-call:{tenant}:{call_id}"

    def call_log(self, shard: int) -> tuple[str, ...]:
        """The ring, the tenants, and the stems that `log_prelude.lua` puts the rest of a name behind."""
        prefix = self._shard_prefix(shard)
        stems = ("call", "seen", "waiting", "held", "state", "failed", "names")
        return (f"{prefix}log-ring", f"{prefix}log-tenants", *(f"{prefix}log-{stem}:" for stem in stems))

    def making(self, tenant: TenantId, caller: str) -> str:
        return f"{self._shard_prefix(self.shard(tenant))}making:{tenant}:{caller}"

    def log_tenants(self, shard: int) -> str:
        return f"{self._shard_prefix(shard)}log-tenants"

    def answers(self, router: RouterName) -> str:
        return f"{self._prefix}:{{r:{_without_braces(router)}}}:answers"

    @property
    def errands(self) -> str:
        return f"{self._prefix}:{{e}}:errands"

    def errand(self, errand_id: str) -> str:
        return f"{self._prefix}:{{e}}:errand:{errand_id}"

    def errand_reply(self, errand_id: str) -> str:
        return f"{self._prefix}:{{e}}:reply:{errand_id}"

    def sign_in(self, state: str) -> str:
        return f"{self._prefix}:{{e}}:sign-in:{state}"

    @property
    def plan_numbers(self) -> str:
        return f"{self._prefix}:{{p}}:plan-numbers"

    @property
    def plans(self) -> str:
        return f"{self._prefix}:{{p}}:plans"

    @property
    def plan_news(self) -> str:
        return f"{self._prefix}:{{p}}:plan-news"

    @property
    def routers(self) -> str:
        return f"{self._prefix}:{{w}}:routers"

    @property
    def servers(self) -> str:
        return f"{self._prefix}:{{w}}:servers"

    @property
    def status_stem(self) -> str:
        """The router follows."""
        return f"{self._prefix}:{{w}}:status:"

    def status(self, router: RouterName) -> str:
        return f"{self.status_stem}{router}"

    def lease(self, server: ServerName) -> str:
        return f"{self._prefix}:{{w}}:lease:{server}"

    def watched(self, server: ServerName) -> str:
        return f"{self._prefix}:{{w}}:watched:{server}"

    @property
    def decisions(self) -> str:
        return f"{self._prefix}:{{d}}:decisions"

    def seen(self, server: ServerName, call_id: Uniqueid, parking: int) -> str:
        return f"{self._prefix}:{{d}}:seen:{server}:{call_id}:{parking}"

    def _shard_prefix(self, shard: int) -> str:
        return f"{self._prefix}:{{s{shard}}}:"


def _without_braces(name: str) -> str:
    """A brace would end the hash tag early."""
    return name.replace("{", "(").replace("}", ")")
