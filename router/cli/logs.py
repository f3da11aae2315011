"""Where logs go: to standard error, in the format and from the level of the settings.

For a command that prints results only errors are shown, so that its output is the answer and nothing else.
"""

import logging
import sys

import structlog
from structlog.typing import Processor

from router.settings.model import LogSettings

QUIET = LogSettings(level="error", format="text")


def configure_logs(settings: LogSettings) -> None:
    level = logging.getLevelNamesMapping().get(settings.level.upper(), logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *_last_steps(settings.format),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=False,
    )


def _last_steps(format_: str) -> list[Processor]:
    if format_ == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
