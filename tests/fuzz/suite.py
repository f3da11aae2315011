"""Every target of the fuzzer, in the order in which outside data meets them."""

from collections.abc import Sequence

from tests.fuzz.decoders import ami, crms, http, numbers, pages, redis, rules, sign_on, tenants
from tests.fuzz.targets import Target

TARGETS: tuple[Target, ...] = (
    *ami.TARGETS,
    *numbers.TARGETS,
    *tenants.TARGETS,
    *rules.TARGETS,
    *pages.TARGETS,
    *redis.TARGETS,
    *crms.TARGETS,
    *http.TARGETS,
    *sign_on.TARGETS,
)


class UnknownTarget(Exception):
    pass


def chosen(names: Sequence[str]) -> list[Target]:
    """By their names, or by what their names begin with: `redis` is all of Redis. Raises UnknownTarget."""
    if not names:
        return list(TARGETS)
    for name in names:
        if not any(target.name.startswith(name) for target in TARGETS):
            raise UnknownTarget(f"there is no target `{name}`; `--list` tells them all")
    return [target for target in TARGETS if target.name.startswith(tuple(names))]
