"""Where a process's logs go: standard error, in the settings' format, from the settings' level.

httpx logs every request's address at `info`, secrets included, and spnego every step of a Windows sign-in at
`debug`; they are kept quiet whatever the level.
"""

import logging
import sys

import structlog
from structlog.typing import Processor

from router.settings.model import LogSettings

QUIET = LogSettings(level="error", format="text")
"""For a command that prints results: its output is the answer and nothing else."""

LOUD_LIBRARIES = ("httpx", "httpcore", "aiohttp", "asyncio", "spnego")


def configure_logs(settings: LogSettings) -> None:
    level = logging.getLevelNamesMapping().get(settings.level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_last_steps(settings.format),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )
    for name in LOUD_LIBRARIES:
        logging.getLogger(name).setLevel(logging.ERROR)


def _last_steps(format_: str) -> list[Processor]:
    if format_ == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    # Without the local variables that the console's own tracebacks show: secrets stand among them.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
