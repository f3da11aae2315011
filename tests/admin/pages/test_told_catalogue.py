"""The French catalogue has every sentence that the code tells, and every phrase in its places."""

import re
from collections.abc import Iterator

import msgspec.inspect as shape
import pytest

from router.admin.pages.languages import PHRASE, TOLD
from router.admin.pages.sentences import PLACE
from router.core.checks.sources import MEANINGS
from router.core.destinations import DestinationKind
from router.core.differences import HIDDEN, SINGULARS
from router.core.faults import MENDS, Step
from router.core.roles import TOLD as PERMISSIONS
from router.core.tenants import Tenant
from router.settings.shapes import KINDS, MISSING, PATTERNS, name_of
from tests.admin.pages.told_sentences import catalogue, find_sentences
from workers import guard

FORBIDDEN = {
    *(guard.LOOPBACK, guard.PRIVATE, guard.LINK_LOCAL, guard.METADATA, guard.MULTICAST, guard.BROADCAST),
    *(guard.UNSPECIFIED, guard.SHARED, guard.BENCHMARK, guard.EXAMPLE, guard.RESERVED, guard.TUNNEL),
}

NOT_FOLLOWED = {
    "admin/secrets.py: str(error)": "it tells the operator of the vault's key, in SecretMissing's own words",
    "core/checks/conditions.py: why[1]": "the second of a pair, below",
    "core/checks/sources.py: f'{setting.help}'.strip() or 'Mend it.'": "a manifest's help has its own French",
    "core/checks/sources.py: setting.help or f'It must fit {setting.pattern}.'": "likewise",
    "core/number_lists.py: mend": "handed on by _refuse and _refused, whose callers are followed",
    "core/number_lists.py: what": "likewise",
    "records/configuration.py: what[:1].lower() + what[1:]": "msgspec's own words, the usual ones below",
    "settings/shapes.py: *own": "a table, below",
    "settings/shapes.py: mend or f'Write {wanted}.'": "handed on by _wrong_kind, whose callers are followed",
    "settings/shapes.py: str(refused)": "msgspec's own words, after our own had nothing to say",
}
TOLD_OTHERWISE = {
    "the {kind} {name} stands there twice": "nothing tells where the kind ends: each kind has its own below",
    "“{clean}” may mean {whole}.{part} or {whole_2}{part_2}": "likewise: its two numbers are whole places",
}
BY_HAND = {
    "the number {name} stands there twice",
    "the IVR entry {name} stands there twice",
    'Add {name} = { destination = "ivr", option = "main" }.',
    "Mend it.",
    "It must fit {pattern}.",
    "Write {wanted}.",
    'Write operator = "=".',
    "Write a number without quotes, or give the field another type.",
    'Write year, month and day: value = "2026-03-31".',
    "Write true or false.",
    "expected `float` <= {most}",
    "expected `float` >= {least}",
    "expected `int` <= {most}",
    "expected `int` >= {least}",
    "expected `str` matching regex {pattern}",
    "expected `str` of length <= {most}",
    "expected `str` of length >= {least}",
    "there is no {what}",
    "this account may not {permission}",
    "the integration {name} is used by {told} and more",
    "the rule {name} is used by {told} and more",
    "a number that nobody has was searched",
}
"""Sentences that the source does not show in one piece, or that need more words to be told apart."""
PHRASES_BY_HAND = {
    "nothing",
    "a date or time",
    "a text that fits {pattern}",
    "one of {words}",
    "{names} or {names_2}",
    *(f"{words} {{limit}}" for words in ("at least", "more than", "at most", "less than")),
    "“{clean}”",
    "“{clean}” may mean {first} or {second}",
    "yes",
    "no",
    "this value",
    "unknown",
    "IVR entry",
    "the default",
    "the tenant",
    "error",
    "warning",
    *(f"{words}: {{rest}}" for words in ("missing )", "missing ]", "unexpected )")),
    "no argument for repetition operator: {rest}",
    "bad repetition operator: {rest}",
    "invalid repetition size: {rest}",
    "invalid perl operator: {rest}",
    "invalid escape sequence: {rest}",
    "invalid character class range: {rest}",
    "trailing \\",
    "yes and no have no order",
    HIDDEN,
    "the configuration of `{name}`",
    *("keep a log of calls", "make a record for an unknown caller"),
    *("list its modules", "list its fields", "tell who is signed in"),
}


def structs_below(type_: shape.Type) -> Iterator[shape.Type]:
    """Everything that a tenant is made of."""
    yield type_
    match type_:
        case shape.Metadata(type=inner):
            yield from structs_below(inner)
        case shape.StructType(fields=listed):
            for field in listed:
                if field.encode_name not in ("all", "any", "then"):  # they hold their own kind
                    yield from structs_below(field.type)
        case shape.VarTupleType(item_type=inner) | shape.ListType(item_type=inner):
            yield from structs_below(inner)
        case shape.DictType(value_type=inner):
            yield from structs_below(inner)
        case shape.UnionType(types=types):
            for one in types:
                yield from structs_below(one)


def words_of_places() -> set[str]:
    below = list(structs_below(shape.type_info(Tenant)))
    fields = {
        one.encode_name.replace("_", " ")
        for type_ in below
        if isinstance(type_, shape.StructType)
        for one in type_.fields
    }
    return fields | set(SINGULARS.values())


def kinds_of_unions() -> set[str]:
    found = set()
    for type_ in structs_below(shape.type_info(Tenant)):
        if isinstance(type_, shape.UnionType):
            members = [one for one in type_.types if not isinstance(one, shape.NoneType)]
            names = list(dict.fromkeys(name_of(one) for one in members))
            if KINDS[float] in names and KINDS[int] in names:
                names.remove(KINDS[int])
            if len(names) > 1:
                found.add(f"{', '.join(names[:-1])} or {names[-1]}")
    return found


def all_phrases() -> set[str]:
    return {
        *KINDS.values(),
        *PATTERNS.values(),
        *MEANINGS.values(),
        *kinds_of_unions(),
        *PERMISSIONS.values(),
        *(kind.value for kind in DestinationKind),
        *(step.value for step in Step),
        *FORBIDDEN,
        *words_of_places(),
        *PHRASES_BY_HAND,
    }


def test_every_sentence_of_the_code_is_in_the_catalogue_and_none_is_left_over() -> None:
    found = find_sentences()
    sentences, phrases = catalogue(TOLD), catalogue(PHRASE)
    missing = {text for told in MISSING.values() for text in told}
    needed = (found.templates | BY_HAND | missing | set(MENDS.values())) - TOLD_OTHERWISE.keys()

    assert sorted(found.not_followed ^ NOT_FOLLOWED.keys()) == []
    assert sorted(text for text in needed if not (sentences.get(text) or phrases.get(text))) == []
    assert sorted(set(sentences) - needed) == []


def test_every_phrase_is_in_the_catalogue_and_none_is_left_over() -> None:
    phrases = catalogue(PHRASE)

    assert sorted(text for text in all_phrases() if not phrases.get(text)) == []
    assert sorted(set(phrases) - all_phrases() - find_sentences().templates) == []


@pytest.mark.parametrize("context", [TOLD, PHRASE])
def test_the_french_has_the_places_of_the_english_and_its_own_spaces(context: str) -> None:
    told = catalogue(context)

    assert [
        text for text, french in told.items() if set(PLACE.findall(text)) != set(PLACE.findall(french))
    ] == []
    assert [french for french in told.values() if re.search(r"[ ][:;?!»](\s|$)|« |\w'\w", french)] == []
