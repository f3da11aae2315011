"""The French catalogue has every problem that workers, routers and links tell."""

import re

import pytest

from router.admin.pages.languages import PHRASE, PROBLEM, STEP
from router.admin.pages.problem_sentences import AROUND, BEFORE, BEHIND
from router.admin.pages.sentences import PLACE
from router.store.limits import full_log_text, given_up_text, overloaded_text
from tests.admin.pages.told_problems import find_problems, find_steps
from tests.admin.pages.told_sentences import catalogue
from workers import errors, http_errors
from workers.connectors import answers
from workers.connectors.proprietary.api import PROBLEMS
from workers.runner import OTHER_SETTINGS

HANDED_ON = {
    "router/ami/link.py: str(error)": "an error of the link, whose makers are followed",
    "router/ami/protocol.py: problem": "likewise",
    "router/ami/session.py: _reason(error)": "the operating system's own words, the usual ones below",
    "router/core/decide.py: problem": "`the redirect failed` and what it holds, below",
    "router/engine/lease_keeper.py: self._known": "another `replace`",
    "router/engine/status_teller.py: problem": "of the link",
    "workers/abilities.py: asking.cleaned(asking.told_timeout(error))": "of wrappers, below",
    "workers/abilities.py: problem": "likewise",
    "workers/abilities.py: self._told.get(step, '')": "names that a CRM or a rule gave",
    "workers/call_log_sender.py: problem": "an error's, or `given up after`, both of them followed",
    "workers/connectors/custom.py: '; '.join(problems)": "one by one, where they are appended",
    "workers/connectors/hubspot/find.py: problem": "names.unknown_field, joined",
    "workers/connectors/moments.py: call": "another `told`",
    "workers/connectors/pipedrive/find.py: '; '.join(problems)": "one by one, where they are appended",
    "workers/connectors/proprietary/api.py: problem": "a table, below",
    "workers/connectors/proprietary_i/find.py: '; '.join(filter(None, (found.problem, problem)))": "joined",
    "workers/connectors/proprietary_i/find.py: problem": "joined",
    "workers/connectors/sugar_rest/beans.py: '; '.join(map(_lacks, missing))": "below",
    "workers/connectors/zoho/find.py: problem": "likewise",
    "workers/grants.py: problem": "kept from `signing in`",
    "workers/lookup.py: asking.cleaned(findings.problem)": "a connector's Findings, which are followed",
    "workers/lookup.py: told": "an asking's text, of wrappers, below",
    "workers/runner.py: f'{answer.problem}; {OTHER_SETTINGS}'.removeprefix('; ')": "joined",
    "workers/runner.py: problem": "handed to `_failed`: BROKEN, and a catalogue's problem",
    "workers/connectors/zendesk/find.py: "
    "'; '.join((names.unknown_field(field).problem for field in missing))": "names.unknown_field, joined",
}
WRAPPERS = {
    *BEHIND,
    AROUND,
    BEFORE,
    "no answer within {seconds_spent} seconds; before that, {problem}",
    "an old answer serves, for asking anew failed: {problem}",
    "the claim failed: {problem}",
    "the redirect failed: {problem}",
    given_up_text(1, "{problem}").replace("1 h", "{hours} h"),
}
SYSTEMS_WORDS = {
    "Authentication failed",
    "Connection refused",
    "Connection reset by peer",
    "Connection timed out",
    "Name or service not known",
    "Network is unreachable",
    "No route to host",
    "Permission denied",
    "Temporary failure in name resolution",
}
"""Asterisk's own, and the operating system's."""
FOREIGN = {"{name} {error}"}
"""The Redis client's own words."""
BY_HAND = {
    errors.GrantExpired().problem,
    errors.RecordAwaited(1).problem,
    OTHER_SETTINGS,
    overloaded_text("{tenant}", 7).replace("7", "{jobs_kept}"),
    full_log_text(7).replace("7", "{count}"),
    answers.status_problem(299).replace("299", "{status}"),
    "the answer has no `{path}`",
    "the record has no field `{path}`",
    "the answer lacks the field `{field}`: it is empty, or there is no such field",
    "what answers there does not speak AMI",
    "a message of more than {most_bytes} bytes",
    "more than {events_waiting} events wait",
    "{module}: {hits} records came, and a search brings no more, so there may be others",
    "the certificate's signer is not in this host's list of authorities",
}
"""Sentences that the source does not show in one piece."""


CHOICES = {
    "the first is taken, as the rule says",
    "they agree on every field tested, so the first is taken",
    "they do not agree on the fields tested",
    "the rule has a destination for several records",
    "the CRM does not say which record changed last",
    "record {number} changed last, at {modified_at}",
}
"""Why a record speaks for its caller, or none does."""


def all_problems() -> set[str]:
    translated = {problem for _, problem, _ in http_errors.TRANSLATIONS.values()}
    tables = translated | set(http_errors.REASONS.values()) | {problem for _, problem in PROBLEMS.values()}
    found = set(find_problems().templates) - FOREIGN
    return found | tables | WRAPPERS | SYSTEMS_WORDS | BY_HAND | CHOICES


def test_every_problem_is_in_the_catalogue_and_none_is_left_over() -> None:
    french = catalogue(PROBLEM)

    assert sorted(find_problems().not_followed ^ HANDED_ON.keys()) == []
    assert sorted(text for text in all_problems() if not french.get(text)) == []
    assert sorted(set(french) - all_problems()) == []


def test_every_step_of_a_connector_is_in_the_catalogue_and_none_is_left_over() -> None:
    assert sorted(catalogue(STEP).keys() ^ find_steps()) == []


@pytest.mark.parametrize("context", [PROBLEM, STEP, PHRASE])
def test_the_french_has_the_places_of_the_english_and_its_own_spaces(context: str) -> None:
    told = catalogue(context)

    assert [
        one for one, french in told.items() if set(PLACE.findall(one)) != set(PLACE.findall(french))
    ] == []
    assert [french for french in told.values() if re.search(r"[ ][:;?!»](\s|$)|« |\w'\w", french)] == []
