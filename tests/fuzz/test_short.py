"""The fuzzer's short form: what was once found, each target's seeds, and inputs of a fixed seed."""

import logging
from collections.abc import Iterator
from random import Random

import pytest
import structlog

from tests.fuzz.places import found
from tests.fuzz.suite import TARGETS
from tests.fuzz.targets import Target
from tests.fuzz.trying import try_input

INPUTS = 300
SEEDS = 40


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    """What is dropped is logged, thousands of times."""
    former = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    yield
    structlog.configure(**former)


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_that_is_read_fails(target: Target) -> None:
    for data in _inputs(target):
        failure = try_input(target, data)
        assert failure is None, f"{data[:2_000]!r}\n{failure.story}"


def _inputs(target: Target) -> Iterator[bytes]:
    random = Random(target.name)
    seeds = list(target.seeds())
    yield from found(target.name)
    yield from seeds[:: 1 + len(seeds) // SEEDS]
    for _ in range(INPUTS):
        yield target.mutate(random, random.choice(seeds), random.choice(seeds))[: target.most_bytes]
