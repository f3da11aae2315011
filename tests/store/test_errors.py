"""Every foreign error has a translation."""

import pytest
from redis import exceptions as redis_errors

from router.store.errors import (
    TRANSLATIONS,
    StoreError,
    StoreMisconfigured,
    StoreOverloaded,
    StoreRefused,
    StoreUnavailable,
    translated,
)

FOREIGN = [
    kind for kind in vars(redis_errors).values() if isinstance(kind, type) and issubclass(kind, BaseException)
]


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: kind.__name__)
def test_each_of_redis_py_s_errors_is_translated(kind: type[BaseException]) -> None:
    assert kind in TRANSLATIONS


@pytest.mark.parametrize(
    ("error", "ours"),
    [
        (redis_errors.ConnectionError("gone"), StoreUnavailable),
        (redis_errors.AuthenticationError("WRONGPASS"), StoreRefused),
        (redis_errors.OutOfMemoryError("OOM"), StoreOverloaded),
        (redis_errors.MovedError("12 127.0.0.1:7000"), StoreUnavailable),
        (ConnectionResetError("reset"), StoreUnavailable),
        (TimeoutError(), StoreUnavailable),
    ],
)
def test_error_says_what_was_being_done(error: BaseException, ours: type[StoreError]) -> None:
    made = translated(error, "the store's EVALSHA")

    assert type(made) is ours
    assert str(made).startswith("the store's EVALSHA: ")


def test_wrong_configuration_is_outside_the_tree_that_is_retried() -> None:
    assert not issubclass(StoreMisconfigured, StoreError)
