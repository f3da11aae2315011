"""What can go wrong between crmroute and its Redis.

    Exception
     ├─ StoreError
     │   ├─ StoreUnavailable      nobody answered in time, or cannot right now: trying again later helps
     │   │   └─ StoreRefused      it answered, and refuses us (login, permission): an operator must act
     │   └─ StoreOverloaded       it has all the work it may hold: trying again at once makes it worse
     └─ StoreMisconfigured        the address or the embedded server's settings are wrong: never retried

The call path meets only the `StoreError` branch, and each of those costs a call its better destination, never
the call. Redis's own exceptions end here: `translated` knows every one of them, and a test fails when it does
not.
"""

from redis import exceptions as redis_errors


class StoreError(Exception):
    """The store could not do what was asked."""


class StoreUnavailable(StoreError):
    """No answer in time, or none that can be used."""


class StoreRefused(StoreUnavailable):
    """The server answers but does not let us in."""


class StoreOverloaded(StoreError):
    """Too much is waiting already."""


class StoreMisconfigured(Exception):
    """The settings cannot work. The text names the setting and the way to put it right."""


TRANSLATIONS: dict[type[BaseException], type[StoreError]] = {
    redis_errors.RedisError: StoreUnavailable,
    redis_errors.ConnectionError: StoreUnavailable,
    redis_errors.TimeoutError: StoreUnavailable,
    redis_errors.AuthenticationError: StoreRefused,
    redis_errors.AuthorizationError: StoreRefused,
    redis_errors.BusyLoadingError: StoreUnavailable,
    redis_errors.InvalidResponse: StoreUnavailable,
    redis_errors.ResponseError: StoreUnavailable,
    redis_errors.DataError: StoreUnavailable,
    redis_errors.PubSubError: StoreUnavailable,
    redis_errors.WatchError: StoreUnavailable,
    redis_errors.NoScriptError: StoreUnavailable,
    redis_errors.OutOfMemoryError: StoreOverloaded,
    redis_errors.ExecAbortError: StoreUnavailable,
    redis_errors.ReadOnlyError: StoreUnavailable,
    redis_errors.NoPermissionError: StoreRefused,
    redis_errors.ModuleError: StoreUnavailable,
    redis_errors.NoSuchFieldsetError: StoreUnavailable,
    redis_errors.LockError: StoreUnavailable,
    redis_errors.LockNotOwnedError: StoreUnavailable,
    redis_errors.ChildDeadlockedError: StoreUnavailable,
    redis_errors.AuthenticationWrongNumberOfArgsError: StoreRefused,
    redis_errors.RedisClusterException: StoreUnavailable,
    redis_errors.ClusterError: StoreUnavailable,
    redis_errors.ClusterDownError: StoreUnavailable,
    redis_errors.AskError: StoreUnavailable,
    redis_errors.TryAgainError: StoreUnavailable,
    redis_errors.ClusterCrossSlotError: StoreUnavailable,
    redis_errors.MovedError: StoreUnavailable,
    redis_errors.MasterDownError: StoreUnavailable,
    redis_errors.SlotNotCoveredError: StoreUnavailable,
    redis_errors.MaxConnectionsError: StoreUnavailable,
    redis_errors.CrossSlotTransactionError: StoreUnavailable,
    redis_errors.InvalidPipelineStack: StoreUnavailable,
    redis_errors.ExternalAuthProviderError: StoreRefused,
    redis_errors.IncorrectPolicyType: StoreUnavailable,
    OSError: StoreUnavailable,
    TimeoutError: StoreUnavailable,
}
FOREIGN_ERRORS: tuple[type[BaseException], ...] = tuple(TRANSLATIONS)
"""For `except`: all that redis-py and the socket below it may raise."""


def translated(error: BaseException, doing: str) -> StoreError:
    """The error of ours that stands for a foreign one; raise it `from` that one.

    The text never holds an address: redis-py puts no password into its own, and neither do we.
    """
    # redis-py turns a refused login into a ConnectionError that it raises from the real one.
    told = error.__cause__ if isinstance(error.__cause__, redis_errors.RedisError) else error
    for kind in type(told).__mro__:
        if kind in TRANSLATIONS:
            return TRANSLATIONS[kind](f"{doing}: {_text(told)}")
    return StoreUnavailable(f"{doing}: {_text(told)}")


def _text(error: BaseException) -> str:
    return f"{type(error).__name__} {str(error)[:256]}".strip()
