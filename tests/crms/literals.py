"""Reading a literal back as a database does: independent of what wrote it."""


def mysql_literal(text: str) -> tuple[str, str]:
    """The value of the literal in single quotes at the start of a text, as MySQL reads it, and what follows."""
    assert text[0] == "'", text
    value, at = "", 1
    while True:
        sign = text[at]  # an IndexError: the literal has no end
        if sign == "\\":
            value, at = (
                value + {"0": "\0", "n": "\n", "r": "\r", "t": "\t"}.get(text[at + 1], text[at + 1]),
                at + 2,
            )
        elif sign != "'":
            value, at = value + sign, at + 1
        elif text[at + 1 : at + 2] == "'":
            value, at = value + "'", at + 2
        else:
            return value, text[at + 1 :]


def standard_literal(text: str) -> tuple[str, str]:
    """The same as standard SQL, JPQL and OData read it: a backslash is a sign like any other."""
    assert text[0] == "'", text
    value, at = "", 1
    while True:
        if text[at] != "'":
            value, at = value + text[at], at + 1
        elif text[at + 1 : at + 2] == "'":
            value, at = value + "'", at + 2
        else:
            return value, text[at + 1 :]


def lucene_phrase(text: str) -> tuple[str, str]:
    """The same for a phrase of Lucene: a backslash takes the sign behind it as it is."""
    assert text[0] == '"', text
    value, at = "", 1
    while text[at] != '"':
        at += text[at] == "\\"
        value, at = value + text[at], at + 1
    return value, text[at + 1 :]
