"""What msgspec refuses is told in an admin's words, every problem at once."""

import textwrap
from typing import Any

import msgspec
import pytest
import tomli
from hypothesis import given
from hypothesis import strategies as st

from router.core.tenants import Tenant
from router.settings.shapes import find_problems

HEAD = 'id = "acme"\ncountry = "FR"\ndefault = { destination = "ivr", option = "main" }\n'


def told(text: str) -> list[str]:
    return [str(problem) for problem in find_problems(tomli.loads(HEAD + textwrap.dedent(text)), Tenant)]


def in_rule(text: str) -> str:
    return f'[[rules]]\nname = "r"\ndefault = {{ destination = "ivr", option = "main" }}\n{text}'


# The document's wrong part, and what is said of it.
CASES = {
    "a rule without a default": (
        '[[rules]]\nname = "r"',
        "rules[1]: the rule has no default destination, so a call that no line takes has nowhere to go.",
    ),
    "an operator of another language": (
        in_rule('lines = [ { operator = "==", destination = "queue" } ]'),
        "rules[1].lines[1].operator: `==` is not known here. Did you mean `=`?",
    ),
    "a kind with a slip": (
        in_rule('lines = [ { operator = "=", value = "x", destination = "quue" } ]'),
        "rules[1].lines[1].destination: `quue` is not known here. Did you mean `queue`? Allowed: ",
    ),
    "a line that goes nowhere": (
        in_rule('lines = [ { operator = "=", value = "x" } ]'),
        "rules[1].lines[1]: the line does not say where the call goes. Add destination",
    ),
    "a target without a kind": (
        in_rule('outcomes = { timeout = { option = "gold" } }'),
        "rules[1].outcomes.timeout: the kind of destination is missing. Add destination",
    ),
    "an outcome that is none": (
        in_rule('outcomes = { time_out = { destination = "hangup" } }'),
        "rules[1].outcomes.time_out: `time_out` is not known here. Did you mean `timeout`?",
    ),
    "an option without quotes": (
        in_rule('lines = [ { operator = "=", value = 1, destination = "extension", option = 100 } ]'),
        'rules[1].lines[1].option: it must be a text, not a whole number. Put it into quotes: option = "100"',
    ),
    "a number in quotes": (
        'hold_seconds = "5"',
        "hold_seconds: it must be a number, not a text. Write it without quotes: hold_seconds = 5.",
    ),
    "a key with a slip": (
        in_rule('feild = "status"'),
        "rules[1].feild: there is no setting `feild` here. Did you mean `field`?",
    ),
    "a key of nowhere": ("xyzzy = 1", "xyzzy: there is no setting `xyzzy` here. Allowed here: `id`, `name`,"),
    "one bracket too few": (
        '[rules]\nname = "r"',
        "rules: it must be a list, not a table. Write its header with two brackets: [[rules]].",
    ),
    "a value out of range": (
        in_rule('lines = [ { operator = "=", value = 1, destination = "queue", queue_priority = 5000 } ]'),
        "rules[1].lines[1].queue_priority: 5000 is out of range. It must be at most 1000.",
    ),
    "a sound with its ending": (
        in_rule('location = "ivr"\ngreeting = { sound = "hello.wav" }'),
        "rules[1].greeting.sound: `hello.wav` does not fit. It must be a sound's name without its ending",
    ),
    "a greeting without sound": (
        in_rule("greeting = { min_digits = 2 }"),
        "rules[1].greeting: the greeting has no sound to play.",
    ),
    "a value that is a table": (
        in_rule('lines = [ { operator = "=", value = { a = 1 }, destination = "hangup" } ]'),
        "rules[1].lines[1].value: it must be a text, a number, true or false or a list, not a table",
    ),
    "a fact that is none": (
        in_rule('lines = [ { call = "hours", operator = "=", value = 1, destination = "hangup" } ]'),
        "rules[1].lines[1].call: `hours` is not known here. Did you mean `hour`?",
    ),
    "a wrong member of a group": (
        in_rule('lines = [ { any = [ { operator = "is" } ], destination = "hangup" } ]'),
        "rules[1].lines[1].any[1].operator: `is` is not known here.",
    ),
    "an empty name": (
        '[[rules]]\nname = ""\ndefault = { destination = "hangup" }',
        "rules[1].name: it is empty.",
    ),
    "a policy that is none": (in_rule('several = "latest"'), "rules[1].several: `latest` is not known here."),
}


@pytest.mark.parametrize("name", CASES)
def test_a_problem_is_told_in_an_admins_words(name: str) -> None:
    text, words = CASES[name]

    problems = told(text)

    assert len(problems) == 1
    assert problems[0].startswith(words), problems[0]


def test_all_problems_of_a_document_are_told() -> None:
    problems = told(
        """
        zone = 5
        [[numbers]]
        did = 33142345001
        [[rules]]
        name = "no default"
        [[rules]]
        name = "two wrong lines"
        default = { destination = "ivr", option = "main" }
        lines = [ { operator = "~", destination = "queue" }, { operator = "=", destination = "cue" } ]
        """
    )

    assert len(problems) == 5


def test_a_secret_is_never_repeated() -> None:
    problems = told(
        """
        [[integrations]]
        name = "crm"
        settings = 5
        [[rules]]
        name = "r"
        default = { destination = "hangup" }
        source = { integration = "crm", credentials = { username = 4711, pass = "4711" } }
        """
    )

    assert len(problems) == 3
    assert "4711" not in "".join(problems)


def test_a_good_document_has_no_problems() -> None:
    assert told(in_rule('lines = [ { operator = "is empty", destination = "hangup" } ]')) == []


anything = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-5, 5000),
        st.floats(),
        st.sampled_from(["=", "queue", "", "ivr"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "country",
                    "default",
                    "rules",
                    "name",
                    "lines",
                    "operator",
                    "value",
                    "destination",
                    "all",
                    "x",
                ]
            ),
            inner,
            max_size=5,
        ),
    ),
    max_leaves=20,
)


@given(
    st.dictionaries(st.sampled_from(["rules", "numbers", "default", "zone", "hold_seconds", "x"]), anything)
)
def test_a_document_has_problems_exactly_when_msgspec_refuses_it(parts: dict[str, Any]) -> None:
    document = tomli.loads(HEAD) | parts
    try:
        msgspec.convert(document, type=Tenant, strict=True)
        is_refused = False
    except msgspec.ValidationError:
        is_refused = True

    assert bool(find_problems(document, Tenant)) is is_refused
