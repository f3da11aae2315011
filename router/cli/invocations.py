"""What holds for every command: the configuration's folder, and where it writes."""

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from msgspec import Struct

from router.cli.output import Screen


class Invocation(Struct, frozen=True):
    config: Path
    screen: Screen


Invoked = Annotated[Invocation, Parameter(parse=False)]
