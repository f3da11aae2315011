"""The command line: `crmroute`, with one module for each command.

It reads, asks and shows; what is decided is decided in `router.core`, what runs is built in `router.app`.
"""

from router.cli.commands import main

__all__ = ["main"]
