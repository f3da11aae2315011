"""Reading the operator's settings, once, at start.

Three layers, each overriding the former: `default.toml`, `local.toml` in the same folder, and the environment
(`CRMROUTE__SECTION__KEY`; `CRMROUTE__ASTERISK__0__HOST` for the first server). All problems are told at once,
each with the file and line, or the variable, that it comes from.
"""

import re
from collections.abc import Iterator, Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import msgspec

from router.core.destinations import PLACE_PATTERN, TEMPLATE_FIELDS
from router.core.problems import Path as ValuePath
from router.core.problems import Problem, error
from router.settings.documents import Document, Unreadable, read_document
from router.settings.errors import FileProblem, SecretMissing, SettingsError
from router.settings.model import Settings
from router.settings.secrets import resolve_secret
from router.settings.shapes import find_problems
from router.settings.single_sign_on import check_single_sign_on
from router.settings.variables import VARIABLE_PREFIX, BadVariable, read_variable, with_value

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")


def load_settings(folder: Path, environment: Mapping[str, str], *, with_asterisk: bool = True) -> Settings:
    """Read the settings, or raise SettingsError with every problem there is.

    `with_asterisk` False is for a process that has no AMI account, such as a worker: the servers are left out
    and their secrets need not be there.
    """
    reading = _Reading()
    for path in (default_file(folder), folder / "local.toml"):
        reading.add_file(path)
    reading.add_environment(environment)
    if not with_asterisk:
        reading.data["asterisk"] = []
    reading.resolve_secrets(environment)
    reading.problems += [reading.locate(problem) for problem in find_problems(reading.data, Settings)]
    reading.problems += [reading.locate(problem) for problem in _check(reading.data, with_asterisk)]
    if reading.problems:
        raise SettingsError(reading.problems)
    offered = {kind: template for kind, template in reading.data["destinations"].items() if template}
    return msgspec.convert({**reading.data, "destinations": offered}, type=Settings, strict=True)


def default_file(folder: Path) -> Path:
    """The folder's own defaults, else those that came with the program, in a wheel or a checkout."""
    here = Path(__file__).resolve()
    candidates = (
        folder / "default.toml",
        here.with_name("default.toml"),
        here.parents[2] / "config/default.toml",
    )
    return next((path for path in candidates if path.is_file()), candidates[0])


class _Reading:
    """The layers as they are laid over one another, and where each value came from."""

    def __init__(self) -> None:
        self.data: dict[str, Any] = {}
        self.problems: list[FileProblem] = []
        self._documents: list[Document] = []
        self._variables: dict[ValuePath, str] = {}

    def add_file(self, path: Path) -> None:
        try:
            document = read_document(path)
        except FileNotFoundError:
            return  # local.toml need not be there; without default.toml every value is told to be missing
        except Unreadable as unreadable:
            self.problems.append(unreadable.problem)
            return
        self._documents.insert(0, document)
        self.data = _overlaid(self.data, document.data)

    def add_environment(self, environment: Mapping[str, str]) -> None:
        for name in sorted(environment):
            if not name.startswith(VARIABLE_PREFIX):
                continue
            try:
                path, value = read_variable(name, environment[name])
                self.data = with_value(self.data, path, value)
                self._variables[path] = name
            except BadVariable as bad:
                self.problems.append(
                    FileProblem(f"environment variable {name}", None, error((), bad.what, bad.mend))
                )

    def resolve_secrets(self, environment: Mapping[str, str]) -> None:
        servers = self.data.get("asterisk")
        for index, server in enumerate(servers if isinstance(servers, list) else ()):
            if not isinstance(server, dict) or "secret" not in server:
                continue
            path = ("asterisk", index, "secret")
            try:
                secret = resolve_secret(server["secret"], environment, "the secret of the AMI account")
            except SecretMissing as missing:
                self.problems.append(self.locate(error(path, str(missing), "Set it, or name where it is.")))
                secret = ""
            self.data = with_value(self.data, path, secret)

    def locate(self, problem: Problem) -> FileProblem:
        """The layer that set the value, else the one that set the nearest thing around it."""
        for length in range(len(problem.path), 0, -1):
            path = problem.path[:length]
            if path in self._variables:
                return FileProblem(f"environment variable {self._variables[path]}", None, problem)
            for document in self._documents:
                if path in document.places:
                    return FileProblem(document.file, document.line(path), problem)
        file = self._documents[0].file if self._documents else "default.toml"
        return FileProblem(file, 1, problem)


def _overlaid(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    """Tables are merged; everything else, lists too, is replaced as a whole."""
    merged = dict(below)
    for key, value in above.items():
        former = merged.get(key)
        both = isinstance(value, dict) and isinstance(former, dict)
        merged[key] = _overlaid(former, value) if both and isinstance(former, dict) else value
    return merged


def _check(data: dict[str, Any], with_asterisk: bool) -> Iterator[Problem]:
    """What the types alone cannot say. Values of a wrong type are told elsewhere and passed over here."""
    yield from _check_times(data.get("router"))
    yield from _check_networks(data.get("worker"))
    yield from check_single_sign_on(data.get("admin"))
    templates = data.get("destinations")
    for kind, template in templates.items() if isinstance(templates, dict) else ():
        if isinstance(template, str) and template:
            yield from check_template(kind, template)
    if with_asterisk:
        yield from _check_servers(data.get("asterisk"))


def _check_times(router: Any) -> Iterator[Problem]:
    given = router if isinstance(router, dict) else {}
    times = {key: value for key, value in given.items() if _is_number(value)}
    hold = times.get("hold_seconds")
    if hold is None:
        return
    if times.get("hold_margin_seconds", 0) >= hold:
        yield error(
            ("router", "hold_margin_seconds"), "it leaves nothing of hold_seconds", "Make it smaller."
        )
    if times.get("lookup_seconds", 0) > hold:
        mend = "Make it smaller than hold_seconds: the caller is gone by then."
        yield error(("router", "lookup_seconds"), f"it is longer than hold_seconds ({hold:g})", mend)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_networks(worker: Any) -> Iterator[Problem]:
    networks = worker.get("allowed_networks") if isinstance(worker, dict) else None
    for index, text in enumerate(networks if isinstance(networks, list) else ()):
        if isinstance(text, str):
            yield from _check_network(text, ("worker", "allowed_networks", index))


def _check_network(text: str, path: ValuePath) -> Iterator[Problem]:
    try:
        meant = str(ip_network(text, strict=False))
    except ValueError:
        mend = "Write an address and the length of its network, such as 10.20.0.0/16 or fd12::/48."
        yield error(path, f"`{text[:60]}` is not a network", mend)
        return
    try:
        ip_network(text)
    except ValueError:
        what = f"`{text}` is not a network but an address within one"
        alone = text.partition("/")[0]
        yield error(path, what, f"Write {meant} for the network, or {alone} for that address alone.")


def check_template(kind: str, template: str) -> Iterator[Problem]:
    """Whether a destination's template makes a place of every allowed option."""
    path = ("destinations", kind)
    unknown = [name for name in PLACEHOLDER.findall(template) if name not in TEMPLATE_FIELDS]
    if unknown:
        yield error(path, f"`{{{unknown[0]}}}` is not known here", "Known are {option} and {tenant}.")
    elif PLACE_PATTERN.fullmatch(PLACEHOLDER.sub("x", template)) is None:
        mend = "Write context,exten,priority, such as route-queue,{option},1."
        yield error(path, f"`{template}` is not a place in the dialplan", mend)


def _check_servers(servers: Any) -> Iterator[Problem]:
    if not isinstance(servers, list):
        return
    if not servers:
        yield error(("asterisk",), "there is no Asterisk server", "Add an [[asterisk]] table.")
    seen: set[str] = set()
    for index, server in enumerate(servers):
        name = server.get("name") if isinstance(server, dict) else None
        path = ("asterisk", index, "name")
        if not isinstance(name, str):
            continue  # its shape is told by itself
        if name == "":
            yield error(path, "the name is empty", "Name it as in its asterisk.conf.")
        elif name in seen:
            yield error(path, f"two servers are named `{name}`", "Give each a name of its own.")
        seen.add(name)
