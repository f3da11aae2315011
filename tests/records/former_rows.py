"""What databases of former schemas hold, row by row, as it was written then: never made of today's tables.

Each step tells its new tables, and what it added to rows of former ones. Ids are given by the database: the
first row of a table has 1.
"""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]
Rows = dict[str, list[dict[str, Any]]]

BEGAN, SEEN, ENDS = 1_777_000_000.0, 1_777_625_000.0, 1_790_000_000.0
"""Around the clock of the tests."""
TOKEN = "crmroute_a-token-of-a-former-schema"
TOTP = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
SESSION = "the key of a session of a former schema"
# Of the password that all tests have, hashed quickly.
HASHED = "$argon2id$v=19$m=8,t=1,p=1$pxKuvtxiMo3uxBm66B9OXQ$KL81BnEhmxKUvLVeIWNpWeI5DNl/hHbyWx5bwtMtzMM"
# TOTP, sealed by the vault of the tests for the second user.
SEALED = bytes.fromhex(
    "3118329a57f868bae6b5ffc406053e60e2e5e9d8d7cc3e49a1910e0143738db4165a7cdfcd42e7043e3df98917eeabbe211b21dc2b502417a64c7af5bab33dfe33a7bd3209"
)
PROFILE = (
    '{"id":"acme","name":"Acme","country":"FR","zone":"Europe/Paris",'
    '"default":{"destination":"queue","option":"desk"}}'
)
CRM = '{"name":"crm","settings":{"url":"https://crm.example","token":{"env":"CRM_TOKEN"}}}'
SALES_V1 = '{"name":"Sales","default":{"destination":"queue","option":"bronze"}}'
SALES = (
    '{"name":"Sales","field":"tier","source":{"integration":"crm","modules":["Contact"]},'
    '"default":{"destination":"queue","option":"bronze"},'
    '"lines":[{"operator":"=","value":"Gold","destination":"queue","option":"gold"}]}'
)
SALES_DRAFT = SALES.replace("Gold", "Platinum")
BY_NUMBER = '{"name":"By number","location":"ivr","default":{"destination":"ivr","option":"main"}}'
FIRST = PROFILE[:-1] + f',"rules":[{SALES_V1}]}}'
IN_FORCE = (
    PROFILE[:-1]
    + ',"numbers":[{"did":"+33142345001","rule":"Sales"},{"did":"+33142345002","note":"the desk"}],'
    f'"ivr_entries":[{{"name":"account","rule":"By number"}}],"integrations":[{CRM}],'
    f'"rules":[{SALES},{BY_NUMBER}]}}'
)
DIGEST = "b5114d8354df4ac6"
"""Of what is in force."""
CALL = "pbx1-1.1"
# The decision of that call in msgpack: from +33612345678 to +33142345001, by the rule Sales to queue gold.
DECISION = bytes.fromhex(
    "de0011a763616c6c5f6964a8706278312d312e31a86c696e6b65646964a8706278312d312e31a77061726b696e6701a6736572"
    "766572a470627831a76368616e6e656cad504a5349502f7472756e6b2d31a6726f75746572a8726f757465722d31a674656e61"
    "6e74a461636d65a97061726b65645f6174cb41da7d1ae4000000af63616c6c65645f7265636569766564aa3031343233343530"
    "3031a663616c6c6564ac2b3333313432333435303031a663616c6c657284a87265636569766564aa30363132333435363738a4"
    "6b696e64a66e756d626572a465313634ac2b3333363132333435363738a7636f756e747279a24652a472756c65a553616c6573"
    "a4706c616eb062353131346438333534646634616336a76f7574636f6d65a5666f756e64ac61736b65645f746172676574aa71"
    "7565756520676f6c64a6656e64696e67a574616b656ead726561636865645f706c616365b2726f7574652d71756575652f676f"
    "6c642f31"
)
_CHANGED = {"changed_at": BEGAN, "changed_by": "jane"}
_PUBLISHED = {"tenant": "acme", "author": "jane", "made_at": BEGAN}
_USER = {"password": HASHED, "made_at": BEGAN, "language": "fr"}

NEW_ROWS: dict[str, Rows] = {
    "0001": {
        "tenants": [
            {
                "id": "acme",
                "profile": PROFILE,
                "managed_by": "page",
                "revision": 3,
                "created_at": BEGAN,
                **_CHANGED,
            }
        ],
        "integrations": [
            {"tenant": "acme", "name": "crm", "position": 0, "document": CRM, "revision": 2, **_CHANGED}
        ],
        "rules": [
            {"tenant": "acme", "name": "Sales", "position": 0, "draft": SALES_DRAFT, "revision": 4}
            | {"live_version": 2, **_CHANGED},
            {"tenant": "acme", "name": "By number", "position": 1, "draft": BY_NUMBER, "revision": 1}
            | {"live_version": 1, **_CHANGED},
        ],
        "rule_versions": [
            {
                "rule": 1,
                "number": 1,
                "document": SALES_V1,
                "author": "jane",
                "comment": "first",
                "made_at": BEGAN,
            },
            {
                "rule": 1,
                "number": 2,
                "document": SALES,
                "author": "bob",
                "comment": "gold",
                "made_at": BEGAN + 1,
            },
            {
                "rule": 2,
                "number": 1,
                "document": BY_NUMBER,
                "author": "bob",
                "comment": "",
                "made_at": BEGAN + 2,
            },
        ],
        "numbers": [
            {"tenant": "acme", "did": "+33142345001", "position": 0, "rule": 1, "note": ""},
            {"tenant": "acme", "did": "+33142345002", "position": 1, "rule": None, "note": "the desk"},
        ],
        "ivr_entries": [{"tenant": "acme", "name": "account", "position": 0, "rule": 2, "note": ""}],
        "publications": [
            _PUBLISHED
            | {"number": 1, "document": FIRST, "digest": "0123456789abcdef", "versions": '{"Sales":1}'},
            _PUBLISHED
            | {"number": 2, "document": IN_FORCE, "digest": DIGEST, "versions": '{"Sales":2,"By number":1}'},
            _PUBLISHED | {"tenant": "gone", "number": 1, "document": None},
        ],
        "users": [
            _USER | {"name": "Jane@acme.example", "role": "admin", "tenant": "acme", "signed_in_at": BEGAN},
            _USER
            | {"name": "boss", "role": "provider", "tenant": None, "totp": SEALED, "totp_step": 59_000_000},
            _USER
            | {"name": "vera", "role": "viewer", "tenant": "acme", "is_disabled": True}
            | {"oidc_subject": "https://id.example|vera"},
        ],
        "sessions": [
            {"digest": "a8767fc08132704c53723bcd88a17fa3ee2e20046239ed4994e4554325cbe6fa", "user": 1}
            | {"made_at": BEGAN, "seen_at": SEEN, "ends_at": ENDS, "origin": "192.0.2.7"}
        ],
        "tokens": [
            {
                "digest": "823f4da221143538ea15f97ee40890d365cb34c2681de517c4ed7cc269e04efd",
                "name": "ci",
                "role": "editor",
            }
            | {"tenant": "acme", "made_by": "Jane@acme.example", "made_at": BEGAN, "ends_at": ENDS}
        ],
        "audit": [
            {"at": BEGAN, "tenant": "acme", "who": "jane", "origin": "192.0.2.7", "action": "change"}
            | {"kind": "rule", "name": "Sales", "before": SALES_V1, "after": SALES}
        ],
        "decisions": [
            {"server": "pbx1", "call": CALL, "parking": 1, "tenant": "acme", "parked_at": 1_777_626_000.0}
            | {"caller": "+33612345678", "called": "+33142345001", "rule": "Sales", "outcome": "found"}
            | {"destination": "queue gold", "plan": DIGEST, "document": DECISION}
        ],
    },
    "0002": {
        "attempts": [{"subject": "from:192.0.2.9", "failures": 3, "last_at": BEGAN}],
        "recovery_codes": [
            {"user": 2, "digest": "85738f8f9a7f1b04b5329c590ebcb9e425925c6d0984089c43a022de4f19c281"}
        ],
        "setup_links": [{"digest": "0" * 64, "ends_at": BEGAN}],
    },
    "0003": {"marks": [{"name": "decisions", "value": "1777626000000-0"}]},
    "0004": {},
    "0005": {
        "one_time_keys": [{"digest": "1" * 64, "purpose": "code", "document": "{}", "ends_at": BEGAN}],
    },
}
ADDED: dict[str, dict[str, list[dict[str, Any]]]] = {
    "0003": {
        "tenants": [{"retention_days": 30}],
        "decisions": [{"caller_end": "5678", "called_end": "5001"}],
    },
    "0004": {
        "users": [{"folded": "jane@acme.example"}, {"folded": "boss"}, {"folded": "vera"}],
        "tokens": [{"maker": 1}],
    },
}
"""To rows of former tables, in their order."""


def rows_of(step: str) -> Rows:
    """All that a database of this step holds, each table after those that it refers to."""
    rows: Rows = {}
    for known in NEW_ROWS:
        if known <= step:
            rows |= NEW_ROWS[known]
            for table, listed in ADDED.get(known, {}).items():
                rows[table] = [row | more for row, more in zip(rows[table], listed, strict=True)]
    return rows
