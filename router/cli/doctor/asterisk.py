"""One Asterisk server: can the router use it, and may it do no more than it needs."""

import time

from router.ami.errors import AmiError, CertificateRefused, LoginRefused
from router.ami.inspection import Core, Inspection, inspecting
from router.ami.versions import judge
from router.cli.doctor.dialplan import examine_destinations, examine_dialplan
from router.cli.doctor.findings import OUT_OF_TIME, Area, Finding, judge_clock, listed
from router.core.plans import TenantPlan
from router.settings.model import AsteriskServer, Settings

NEEDED_ACTIONS = {"Getvar": "call", "Setvar": "call", "Redirect": "call", "CoreShowChannels": "reporting"}
WANTED_CLASSES = frozenset({"call", "reporting"})
NEEDED_FUNCTIONS = {"INC(CRMROUTE_DOCTOR)": "func_math", "DIALPLAN_EXISTS(route-land,s,1)": "func_dialplan"}
REACH_MEND = (
    "Check host, port, firewall, and in manager.conf enabled, bindaddr and port. "
    "The port of tlsbindaddr needs tls = true."
)
CERTIFICATE_MEND = "See tlscertfile in manager.conf, and tls_ca_file in the settings."


async def asterisk_findings(
    server: AsteriskServer, settings: Settings, plans: list[TenantPlan], seconds: float
) -> list[Finding]:
    area = Area(f"asterisk {server.name}")
    place = f"{server.host}:{server.port}"
    started = time.monotonic()
    try:
        async with inspecting(server, settings.ami.connect_seconds, seconds) as inspection:
            area.ok("reachable", place, (time.monotonic() - started) * 1000)
            if server.tls:
                area.ok("encryption", f"TLS, the certificate is for {server.host}")
            area.ok("login", f"as {server.username}")
            await _examine(area, inspection, server, settings, plans)
    except LoginRefused as error:
        area.ok("reachable", place, (time.monotonic() - started) * 1000)
        mend = f"Compare with [{server.username}] in manager.conf: secret, permit, and `manager reload`."
        area.wrong("login", f"{server.username}: {error}", mend)
    except CertificateRefused as error:
        area.wrong("encryption", f"{place}: {error.what}", error.mend or CERTIFICATE_MEND)
    except AmiError as error:
        area.wrong("reachable", f"{place}: {error}", REACH_MEND)
    except TimeoutError:
        area.wrong("the rest", OUT_OF_TIME, "Look whether the server is overloaded, then run this again.")
    return area.findings


async def _examine(
    area: Area, inspection: Inspection, server: AsteriskServer, settings: Settings, plans: list[TenantPlan]
) -> None:
    allowed = await inspection.allowed_actions()
    if "CoreSettings" in allowed:
        core = await inspection.core()
        judge_version(area, core.version)
        judge_system_name(area, core, server)
    ahead, _ = await inspection.clock()
    judge_clock(area, ahead, "Asterisk")
    judge_rights(area, allowed, server.username)
    if "Getvar" in allowed:
        await _examine_functions(area, inspection)
    if "ShowDialPlan" not in allowed:
        area.unknown("dialplan", "this account may not look at it", "Give it write = call,reporting.")
        return
    await examine_dialplan(area, inspection, settings)
    await examine_destinations(area, inspection, settings, plans)


def judge_version(area: Area, version: str) -> None:
    verdict = judge(version)
    told = version.partition("+")[0].partition("~")[0]
    if not verdict.is_served:
        area.wrong("version", f"{told}: the router does not serve it", verdict.warning)
    elif verdict.warning:
        area.warn("version", told, verdict.warning)
    else:
        area.ok("version", told)


def judge_system_name(area: Area, core: Core, server: AsteriskServer) -> None:
    if not core.system_name:
        mend = f"Set systemname = {server.name} in asterisk.conf: without it two servers can make equal ids."
        area.wrong("systemname", "not set", mend)
    elif core.system_name != server.name:
        mend = (
            f"Name the server {core.system_name} in the settings too, so that a call's id tells where it is."
        )
        area.warn("systemname", f"{core.system_name}; the settings say {server.name}", mend)
    else:
        area.ok("systemname", core.system_name)


def judge_rights(area: Area, allowed: dict[str, frozenset[str]], username: str) -> None:
    missing = [name for name in NEEDED_ACTIONS if name not in allowed]
    if missing:
        mend = f"In manager.conf, [{username}]: write = call,reporting."
        area.wrong("rights needed", f"it may not {listed(missing)}", mend)
    else:
        area.ok("rights needed", ", ".join(NEEDED_ACTIONS))
    # An action that only one class allows proves that the account has this class.
    held = {next(iter(classes)) for classes in allowed.values() if len(classes) == 1}
    excess = sorted(held - WANTED_CLASSES)
    if excess:
        mend = (
            f"In manager.conf, [{username}]: write = call,reporting. Some of these are a shell on the server."
        )
        area.warn("rights too many", f"it may also write {listed(excess, 9)}", mend)
    else:
        area.ok("rights too many", "none")


async def _examine_functions(area: Area, inspection: Inspection) -> None:
    missing = [
        f"{function.partition('(')[0]} ({module}.so)"
        for function, module in NEEDED_FUNCTIONS.items()
        if await inspection.evaluate(function) is None
    ]
    if missing:
        area.wrong("functions", f"missing: {', '.join(missing)}", "Load the module in modules.conf.")
    else:
        area.ok("functions", "INC, DIALPLAN_EXISTS")
