"""What a target of the fuzzer is: a decoder of outside data, examples of what it reads, and how they are bent.

A target's `run` takes one input and returns when all is well. What the decoder may rightly raise, it catches
itself; whatever else leaves it, an assertion included, is a finding.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

Mutate = Callable[[Random, bytes, bytes], bytes]
"""A new input of one, with another one of the corpus to take parts from."""


@dataclass(frozen=True)
class Target:
    name: str
    reads: str
    """What is decoded, in a few words, for the table."""
    run: Callable[[bytes], None]
    seeds: Callable[[], Sequence[bytes]]
    """Examples, good and hostile; made when they are wanted."""
    mutate: Mutate
    most_bytes: int = 65_536
    """What the edge lets through at most."""
