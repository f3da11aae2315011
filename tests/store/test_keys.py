"""Names of keys: one tenant, one slot; and the same shard for every process."""

import pytest
from redis.crc import key_slot

from router.core.identities import RouterName, ServerName, TenantId, Uniqueid
from router.store.errors import StoreMisconfigured
from router.store.keys import Keys


def test_keys_of_a_tenant_and_its_ring_share_a_slot() -> None:
    keys = Keys("crmroute", 16)
    for number in range(50):
        tenant = TenantId(f"tenant-{number}")
        shard = keys.shard(tenant)
        names = [
            *(keys.cache(tenant, "d"), keys.waiters(tenant, "d"), keys.jobs(shard)),
            *(keys.ready(shard), keys.queued(shard), *keys.queue(shard)),
        ]

        assert len({key_slot(name.encode()) for name in names}) == 1


def test_decisions_and_their_witnesses_share_a_slot() -> None:
    keys = Keys("crmroute", 16)

    seen = keys.seen(ServerName("pbx"), Uniqueid("pbx-1.1"), 1)

    assert key_slot(seen.encode()) == key_slot(keys.decisions.encode())


def test_shard_of_a_tenant_never_changes() -> None:
    keys = Keys("crmroute", 16)

    assert [keys.shard(TenantId(name)) for name in ("acme", "beta", "gamma")] == [14, 3, 1]
    assert keys.cache(TenantId("acme"), "d") == "crmroute:{s14}:cache:acme:d"


def test_tenants_spread_over_all_shards() -> None:
    keys = Keys("crmroute", 16)

    assert {keys.shard(TenantId(f"tenant-{number}")) for number in range(300)} == set(range(16))


def test_router_s_name_cannot_end_the_hash_tag() -> None:
    assert Keys("p", 1).answers(RouterName("a}b")) == "p:{r:a)b}:answers"


@pytest.mark.parametrize("prefix", ["", "{x}"])
def test_prefix_that_breaks_hash_tags_is_refused(prefix: str) -> None:
    with pytest.raises(StoreMisconfigured, match=r"^redis\.prefix"):
        Keys(prefix, 1)
