"""Which rate is tried next, when the highest that holds is looked for. Pure: no call is placed here."""

from dataclasses import dataclass, field

GROWTH = 1.5
CLOSE = 1.1
"""A rate that holds and one that does not are close enough when they are this factor apart."""
STEP = 5
LOWEST = 5


@dataclass
class RateSearch:
    """Doubts a rate that fails once: a shared machine has bad moments. The second failure counts."""

    first: int
    most: int
    holds: list[int] = field(default_factory=list)
    failed: list[int] = field(default_factory=list)

    @property
    def highest(self) -> int:
        """0: none has held."""
        return max((rate for rate in self.holds), default=0)

    @property
    def is_open(self) -> bool:
        """The highest rate that was allowed held: the true one is higher."""
        return self.highest >= self.most

    def tell(self, rate: int, holds: bool) -> None:
        (self.holds if holds else self.failed).append(rate)

    def next(self) -> int | None:
        """None: found."""
        if self.failed and self.failed.count(self.failed[-1]) == 1 and self.failed[-1] not in self.holds:
            return self.failed[-1]
        low = self.highest
        too_high = [rate for rate in self.failed if rate > low]
        if not too_high:
            return self._above(low)
        high = min(too_high)
        return self._between(low, high)

    def _above(self, low: int) -> int | None:
        if not low:
            return self.first
        return None if low >= self.most else min(self.most, _stepped(low * GROWTH))

    def _between(self, low: int, high: int) -> int | None:
        if not low:
            return None if high <= LOWEST else max(LOWEST, _stepped(high / 2))
        middle = _stepped((low + high) / 2)
        return None if high <= low * CLOSE or middle in (low, high) else middle


def _stepped(rate: float) -> int:
    return max(LOWEST, round(rate / STEP) * STEP)
