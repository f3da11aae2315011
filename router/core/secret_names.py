"""What is taken for a secret where no manifest says so: by the name of its setting, or by how it is written.

Wrongly taken for one, a value is hidden where it could be shown; the other way round it would be told to
everybody who may read.
"""

import re
from typing import Any

NAMES = re.compile(
    r"secret|password|passwd|token|api_?key|access_?key|credential|authori[sz]ation", re.IGNORECASE
)
SECRET_TABLES = frozenset({"headers"})
"""Settings each of whose values may be a secret, whatever it is called."""
SERVER_REFERENCES = frozenset({"env", "file"})
"""What is on the server: its environment and its files."""
REFERENCES = SERVER_REFERENCES | {"sealed"}


def is_secret_name(name: str) -> bool:
    return NAMES.search(name) is not None


def is_reference(value: Any) -> bool:
    """Whether it says where a secret is, or is one that was sealed."""
    return isinstance(value, dict) and len(value) == 1 and value.keys() <= REFERENCES


def is_server_reference(value: Any) -> bool:
    return is_reference(value) and value.keys() <= SERVER_REFERENCES
