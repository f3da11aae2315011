"""Where the fuzzer keeps what it finds. All but `FOUND` is ignored by git and may be deleted at any time."""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
FOUND = Path(__file__).resolve().parent / "found"
"""Inputs that once made a decoder fail, a folder for each target: every run begins with them."""
CORPUS = PROJECT / ".fuzz" / "corpus"
"""Inputs that reached new lines, from run to run."""
CRASHES = PROJECT / ".fuzz" / "crashes"


def kept(target: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / target).glob("*"))]


def found(target: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((FOUND / target).glob("*"))]
