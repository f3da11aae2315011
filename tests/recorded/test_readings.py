"""Every recorded answer, read by our connectors: what they make of it is what a person has found right."""

from functools import cache

import msgspec
import pytest

from tests.recorded.reading import reading_of
from tests.recorded.replaying import CRMS, FOLDER, recordings

EVERY = [(crm, name) for crm in CRMS for name in recordings(crm)]


@cache
def readings(crm: str) -> dict[str, str]:
    return msgspec.json.decode((FOLDER / "readings" / f"{crm}.json").read_bytes(), type=dict[str, str])


@pytest.mark.parametrize(("crm", "name"), EVERY)
def test_the_answer_is_read_as_it_was_found_right(crm: str, name: str) -> None:
    assert reading_of(crm, recordings(crm)[name]) == readings(crm)[name]


def test_no_recording_is_left_out_and_none_is_made_up() -> None:
    assert {crm: set(readings(crm)) for crm in CRMS} == {crm: set(recordings(crm)) for crm in CRMS}
    assert {crm: len(recordings(crm)) for crm in CRMS} == {"sugarcrm": 114, "suitecrm": 260, "vtiger": 139}
