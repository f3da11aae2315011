"""`python -m workers --config DIR`: one worker process, until SIGTERM or SIGINT."""

import argparse
import asyncio
import os
import signal
import sys
from pathlib import Path

import uvloop

from router.settings.errors import ConfigurationError
from router.settings.load import load_settings
from router.settings.logs import configure_logs
from router.settings.model import Settings
from router.store.errors import StoreMisconfigured
from workers.app import run_worker

WRONG_CONFIGURATION = 2
"""`crmroute run` does not start a worker again that ends with it: nothing but a person can mend that."""


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m workers", description="A crmroute worker: it asks the CRMs."
    )
    given = os.environ.get("CRMROUTE_CONFIG", "config")
    parser.add_argument(
        "--config", type=Path, default=Path(given), metavar="DIR", help="default: %(default)s"
    )
    folder: Path = parser.parse_args(arguments).config
    try:
        if not folder.is_dir():
            raise ConfigurationError(f"there is no configuration folder {folder}")
        settings = load_settings(folder, os.environ, with_asterisk=False)
        configure_logs(settings.log)
        uvloop.run(_run(settings, folder))
    except (ConfigurationError, StoreMisconfigured) as error:
        print(error, file=sys.stderr)
        return WRONG_CONFIGURATION
    return 0


async def _run(settings: Settings, folder: Path) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await run_worker(settings, folder, stop)


if __name__ == "__main__":
    sys.exit(main())
