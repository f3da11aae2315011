"""Every name of a key in Redis.

A name holds a hash tag, which decides its slot on Cluster: all that belongs to one tenant lies in one slot
with the ring of its shard, so that a script may touch it in one step. On a single server the tags are only
part of the name.

    <prefix>:{s<shard>}:ready                       list: the ring, tenants with jobs that nobody has taken
    <prefix>:{s<shard>}:ringed                      set: the tenants on the ring
    <prefix>:{s<shard>}:busy                        set: tenants with jobs, taken or not
    <prefix>:{s<shard>}:jobs:<tenant>               stream: a tenant's jobs
    <prefix>:{s<shard>}:waiters:<tenant>:<digest>   hash: who waits for one question
    <prefix>:{s<shard>}:cache:<tenant>:<digest>     string: its answer
    <prefix>:{r:<router>}:answers                   stream: a router's answers
    <prefix>:{d}:decisions                          stream: the latest decisions
    <prefix>:{d}:seen:<server>:<call>:<parking>     string: the end of this parking is recorded
"""

from zlib import crc32

from router.core.identities import RouterName, ServerName, TenantId, Uniqueid
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

    def ringed(self, shard: int) -> str:
        return f"{self._shard_prefix(shard)}ringed"

    def busy(self, shard: int) -> str:
        return f"{self._shard_prefix(shard)}busy"

    def jobs_stem(self, shard: int) -> str:
        """The tenant follows."""
        return f"{self._shard_prefix(shard)}jobs:"

    def waiters_stem(self, shard: int) -> str:
        """The tenant, a colon and the digest follow."""
        return f"{self._shard_prefix(shard)}waiters:"

    def jobs(self, tenant: TenantId) -> str:
        return f"{self.jobs_stem(self.shard(tenant))}{tenant}"

    def waiters(self, tenant: TenantId, digest: str) -> str:
        return f"{self.waiters_stem(self.shard(tenant))}{tenant}:{digest}"

    def cache(self, tenant: TenantId, digest: str) -> str:
        return f"{self._shard_prefix(self.shard(tenant))}cache:{tenant}:{digest}"

    def answers(self, router: RouterName) -> str:
        return f"{self._prefix}:{{r:{_without_braces(router)}}}:answers"

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
