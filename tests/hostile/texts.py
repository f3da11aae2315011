"""What people write who want a text to be more than a text: to the dialplan, AMI, a shell or a page."""

LINE_ENDS = (
    "\r\n",
    "\n",
    "\r",
    "\0",
    "\x0b",
    "\x0c",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "%0d%0a",
    "\\r\\n",
    "\\n",
)
"""The ends of lines in one protocol or another, and how they are written where they cannot stand."""

AMI_HEADERS = (
    "Action: Originate", "Action: Command", "Action: Redirect", "Action: Hangup", "Action: Setvar",
    "Action: Getvar", "ActionID: 1", "Event: UserEvent", "UserEvent: RouteParked", "Response: Success",
    "Tenant: rival", "N: 2", "Channel: PJSIP/rival-00000001", "Context: rival-queue", "Exten: vip",
    "Variable: SHELL(id)", "Value: 1", "Secret: x", "Events: off", "Application: System",
)  # fmt: skip
"""Headers that somebody would like to have written."""

AMI_ACTIONS = (
    "Action: Originate\r\nChannel: Local/s@rival\r\nApplication: System\r\nData: touch /tmp/canary\r\n\r\n",
    "Action: Command\r\nCommand: core stop now\r\n\r\n",
    "Action: Redirect\r\nChannel: PJSIP/rival-00000001\r\nContext: rival-queue\r\nExten: vip\r\nPriority: 1\r\n\r\n",
    "Action: Setvar\r\nVariable: GLOBAL(ROUTE_CLAIM_1)\r\nValue: 0\r\n\r\n",
    "Action: Logoff\r\n\r\n",
)

DIALPLAN = (
    "${SHELL(touch /tmp/canary)}", "${SHELL(id)}", "${INC(ROUTE_CLAIM_1)}", "${GLOBAL(x)}", "${EVAL(${x})}",
    "${CURL(http://127.0.0.1/)}", "${DB(x/y)}", "${ENV(PATH)}", "${FILE(/etc/passwd)}", "${CHANNEL(name)}",
    "$[1+1]", "$[${x}=1]", "${${x}}", "${x:0:1}", "$", "${", "}", "INC(ROUTE_CLAIM_1)", "SHELL(id)",
    "__ROUTE_TO", "ROUTE_TO)", "a,b,c", "s,1", "rival-queue,vip,1", "../rival-queue", "a&b", "a|b", "a^b", ";x",
    "\\,", "\"", "'", "`id`", "Local/s@rival-queue", "PJSIP/rival", "Hangup()", ",Tenant: rival", "@rival-queue",
)  # fmt: skip

SIGNS = (
    "", " ", "\t", "\x1b[2J", "\x7f", "\u202e", "\u200b", "\ufeff", "\ufffd", "\ufffe", "\U0010ffff", "e\u0301" * 40,
    "\u0130", "\u00df", "\u0661\u0662\u0663", "\u00b2", "\uff11\uff12", "\U0001f4de", "\ud800", "\udcff", "%00", "%",
    "{}", "{0}", "%s", "{option}", "{tenant}", "N" * 1_000, "\u00e9" * 700, "9" * 1_000, "9" * 5_000, "NaN", "1e999",
)  # fmt: skip

MARKUP = (
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "javascript:alert(1)", "data:text/html,x",
    "https://evil.example/${x}", "https://h/\r\nX: y", "file:///etc/passwd", "http://h/" + "a" * 900,
    "'; DROP TABLE calls; --", "' OR '1'='1", "../../etc/passwd", "$(touch /tmp/canary)", "; touch /tmp/canary",
)  # fmt: skip

TEXTS = (*DIALPLAN, *SIGNS, *MARKUP, *AMI_ACTIONS)


def forged(header: str, end: str) -> str:
    """A text that would be a text, the end of its line, and a header of its own."""
    return f"x{end}{header}"


FORGED = tuple(forged(header, end) for header in AMI_HEADERS for end in LINE_ENDS)
