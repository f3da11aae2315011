"""The contract of proprietary-crm.md over a table of two people, with Python alone.

TOKEN=change-me python3 proprietary-crm-server.py 8080
"""

import json
import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

TABLE = [
    {"id": "1", "module": "contacts", "name": "Alice Martin", "phones": ["06 39 98 00 01"],
     "fields": {"tier": "Gold", "account_no": "4711"}},
    {"id": "2", "module": "contacts", "name": "Bruno Petit", "phones": ["+33 (0)6.39.98.00.02"],
     "fields": {"tier": "Silver", "account_no": "0815"}},
]  # fmt: skip
PAGES = {
    "me": {"name": "A table of two"},
    "modules": {"modules": [{"name": "contacts", "label": "Contacts"}]},
    "modules/contacts/fields": {"fields": [
        {"name": "tier", "label": "Tier", "type": "choice",
         "values": [{"value": "Gold"}, {"value": "Silver"}]},
        {"name": "account_no", "label": "Account", "type": "text"},
    ]},
}  # fmt: skip
TOKEN = f"Bearer {os.environ['TOKEN']}"
CALLS = {}


def answer(method, path, body):
    if method == "GET" and path in PAGES:
        return 200, PAGES[path]
    if method == "PUT" and path.startswith("calls/"):
        status, CALLS[path] = 200 if path in CALLS else 201, body
        return status, {"id": path}
    if path == "contacts":
        return problem(501, "not-supported", "this table does not grow")
    if path != "lookup" or set(body["modules"]) - {"contacts"}:
        return problem(404, "unknown-module", "only contacts is here")
    if set(body["fields"]) - {"tier", "account_no"}:
        return problem(400, "unknown-field", "only tier and account_no are here")
    return 200, {"records": [record for record in TABLE if is_meant(record, body)]}


def is_meant(record, body):
    if "digits" in body:
        return record["fields"][body["digits_field"]] == body["digits"]
    # A number that only holds these digits will do: crmroute compares `phones`.
    return any(body["national"] in "".join(filter(str.isdigit, phone)) for phone in record["phones"])


def problem(status, type_, detail):
    return status, {"type": f"urn:crmroute:{type_}", "status": status, "detail": detail}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}"
        is_ours = self.headers.get("Authorization") == TOKEN
        asked = (self.command, self.path.removeprefix("/crmroute/v1/"), json.loads(body))
        status, said = answer(*asked) if is_ours else problem(401, "unauthorized", "the token is not known")
        self.send_response(status)
        self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
        self.end_headers()
        self.wfile.write(json.dumps(said).encode())

    do_PUT = do_POST = do_GET  # noqa: N815 (http.server names them)


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()
