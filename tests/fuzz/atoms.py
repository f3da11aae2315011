"""Texts and values that decoders are known to stumble over."""

from typing import Any

TEXTS = (
    "", " ", "\r\n", "\r\nAction: Originate\r\n\r\n", "\n", "\r", "\0", "\t", "a\0b", "\x1b[31m", "\x7f", "\x85",
    "\u2028", "\u202e", "\ufeff", "\ufffd", "\ufffe", "\U0010ffff", "\ud800", "\udfff", "\udc80", "e\u0301",
    "\u00b2", "\u0661\u0662", "\u2460", "\uff11", "\u00bd", "\u1e9e", "\u0130", "\u00df",
    "${SHELL(id)}", "$[1+1]", "${INC(X)}", "a,b", "a|b", "a&b", ")", "a;b", "\\", "'", '"', "<", "%0d%0a", "../x",
    "true", "null", "NaN", "Infinity", "-Infinity", "1e400", "1e-400", "0x10", "1_000", "-0", "+1", "007",
    "9" * 20, "9" * 400, "9" * 5_000, "-" + "9" * 5_000, "0." + "1" * 5_000, "1e9999999999",
    "2026-02-30", "0000-00-00", "9999-12-31T23:59:60Z", "10000-01-01", "2026-01-01T00:00:00+99:99",
    "2026-01-01T25:00", "/Date(99999999999999999999)/", "Mon, 01 Jan 10000 00:00:00 +99999999999",
    "+33142345001", "+" + "9" * 40, "0033(0)142345001", "anonymous", "*21#", "x" * 1_000, "\u00e9" * 700,
    "http://[::1", "http://[", "https://x:99999999/", "//", "http://\u2100/", "https://%zz/", "javascript:0",
    "https://user:pw@host/", "http://127.0.0.1:0", "https://xn--/", "https://a..b/", "https://" + "a" * 300 + "/",
    "<!DOCTYPE html>", "<a><b>", "&e;", "{", "[", "{}", "[]", '{"a":', "a.b.c", "a.0", "0", "-1", "[0]", "(",
    "(?i", "[z-a]", "a{1000}", "(a+)+$", "\\p{L}", "(?<x>a)(?=b)",
)  # fmt: skip

NUMBERS = (
    0, 1, -1, 2, 7, 99, 100, 127, 128, 200, 255, 256, 400, 401, 404, 429, 500, 65_535, 65_536, 99_999,
    2**31 - 1, 2**31, -(2**31), 2**32, 2**53, 2**53 + 1, 2**63 - 1, 2**63, -(2**63), 2**64 - 1,
    253_402_300_800, 1e12, 1e15, 1e18, 1.5, -0.0, 1e-320, 1e308, -1e308, 0.1, 1e400, -1e400, float("nan"),
)  # fmt: skip

DEEP = 300

SCALARS: tuple[Any, ...] = (*TEXTS, *NUMBERS, None, True, False)


def deep(levels: int = DEEP, *, is_table: bool = False) -> Any:
    """Lists or tables in each other."""
    made: Any = [] if not is_table else {}
    for _ in range(levels):
        made = {"a": made} if is_table else [made]
    return made
