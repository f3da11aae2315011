"""Plays callers by SIP: SIPp dials a DID on a running Asterisk, keys digits, stays a while and hangs up.

`place_calls` waits for the end; `start_calls` returns at once, for what a test does meanwhile. Digits go by
SIP INFO, which needs no captured audio and no raw socket; the endpoint's `dtmf_mode = auto_info` takes them.
How many calls succeeded is what SIPp's own statistics say. `RunningAsterisk.originate` calls without SIP.
"""

import csv
import re
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from deploy.rig.ports import free_media_port

SCENARIOS = Path(__file__).resolve().parent / "sipp"
_ULAW_SECONDS = 2
_ENTRY = re.compile(r"^(?=\d{4}-\d\d-\d\d\t)", re.MULTILINE)
"""Each of SIPp's complaints begins with the day; a message that it shows has lines of its own."""
_NO_HEADER = "User-Agent: callers"
"""Stands where an honest caller has no header: an empty line would end the headers."""


class SippFailed(Exception):
    """SIPp is not installed, could not start, or left no statistics."""


@dataclass(frozen=True)
class Caller:
    """Who calls. The number is the From header's user part as it stands: a test may put `%0d%0a` there."""

    number: str = "+33612345678"
    name: str = ""
    is_anonymous: bool = False
    """Withheld: From says anonymous, Privacy says id, and only P-Asserted-Identity has the number."""


@dataclass(frozen=True)
class CallCounts:
    successful: int
    failed: int
    errors: str = ""
    """Why calls failed, and what SIPp complained of, cut to 2,000 characters."""
    unavailable: int = 0
    """Of the failed ones, those whose answer was 503."""


class PlacedCalls:
    """Calls under way: a SIPp process and its files. Leaving a `with` block ends what is still under way."""

    def __init__(self, process: "subprocess.Popen[bytes]", directory: Path, seconds: float) -> None:
        self._process = process
        self._directory = directory
        self._seconds = seconds

    @property
    def is_over(self) -> bool:
        return self._process.poll() is not None

    def wait(self, timeout_seconds: float | None = None) -> CallCounts:
        """Until every call has ended; raises SippFailed when that takes longer than it possibly could."""
        try:
            self._process.wait(timeout_seconds or self._seconds)
        except subprocess.TimeoutExpired:
            errors = self._errors()
            self.stop()
            raise SippFailed(f"SIPp did not end: {errors}") from None
        counts = self._counts()
        self.stop()
        return counts

    def stop(self) -> None:
        """End SIPp at once, calls and all, and remove its files."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._directory, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _counts(self) -> CallCounts:
        statistics = self._directory / "statistics.csv"
        if not statistics.exists():
            output = self._text("output")[-1000:]
            raise SippFailed(f"SIPp ended with {self._process.returncode} and left no statistics: {output}")
        with statistics.open(newline="") as lines:
            last = list(csv.DictReader(lines, delimiter=";"))[-1]
        kinds = [name for name in last if name.startswith("Failed") and name.endswith("(C)")]
        why = "".join(f"{name} {last[name]}\n" for name in kinds if last[name] not in ("", "0"))
        return CallCounts(
            int(last["SuccessfulCall(C)"]),
            int(last["FailedCall(C)"]),
            (why + self._errors()).strip(),
            sum("SIP/2.0 503" in entry for entry in self._entries()),
        )

    def _errors(self) -> str:
        return "\n".join(self._entries())[:2000]

    def _entries(self) -> list[str]:
        """Without what is usual: callers who stay until the time is over, answers that come too late."""
        entries = _ENTRY.split(self._text("errors"))
        usual = ("jumping to label", "events occurred", "Dead call")
        told = [entry.strip() for entry in entries if not any(text in entry for text in usual)]
        return [entry for entry in told if entry]

    def _text(self, name: str) -> str:
        path = self._directory / name
        return path.read_text(errors="replace") if path.exists() else ""


def place_calls(
    sip_port: int,
    did: str,
    *,
    callers: Sequence[Caller] = (Caller(),),
    count: int = 1,
    rate: float = 10.0,
    stay_ms: int = 1000,
    digits: str = "",
    digits_after_ms: int = 500,
    digit_gap_ms: int = 150,
    is_abandoned: bool = False,
    has_media: bool = False,
    answer_ms: int = 40_000,
    source: str = "127.0.0.1",
) -> CallCounts:
    """Place `count` calls to the DID, `rate` of them each second, and wait for the last one's end.

    callers       used in turn, from the first again when there are fewer than calls
    stay_ms       from the answer (or the last digit) to the hang-up; Asterisk may hang up before that
    digits        keyed after the answer: 0-9, *, # and A-D; a comma is a second's pause
    is_abandoned  hang up `stay_ms` after the first ringing, without an answer
    has_media     send two seconds of sound over and over; without it a voicemail box gets an empty message
    answer_ms     a call that is not answered by then has failed
    source        the address to call from: endpoints of other tenants' trunks match 127.0.0.2 and so on
    """
    return start_calls(
        sip_port,
        did,
        callers=callers,
        count=count,
        rate=rate,
        stay_ms=stay_ms,
        digits=digits,
        digits_after_ms=digits_after_ms,
        digit_gap_ms=digit_gap_ms,
        is_abandoned=is_abandoned,
        has_media=has_media,
        answer_ms=answer_ms,
        source=source,
    ).wait()


def start_calls(
    sip_port: int,
    did: str,
    *,
    callers: Sequence[Caller] = (Caller(),),
    count: int = 1,
    rate: float = 10.0,
    stay_ms: int = 1000,
    digits: str = "",
    digits_after_ms: int = 500,
    digit_gap_ms: int = 150,
    is_abandoned: bool = False,
    has_media: bool = False,
    answer_ms: int = 40_000,
    source: str = "127.0.0.1",
) -> PlacedCalls:
    """As `place_calls`, without waiting."""
    if shutil.which("sipp") is None:
        raise SippFailed("there is no sipp on the PATH: run deploy/rig/get-tools")
    directory = Path(tempfile.mkdtemp(prefix="callers-"))
    scenario = (SCENARIOS / ("abandoned.xml" if is_abandoned else "answered.xml")).read_text()
    keyed = _digits(digits, digits_after_ms, digit_gap_ms)
    scenario = (
        scenario.replace("@DIGITS@", keyed)
        .replace("@MEDIA@", _media(directory) if has_media else "")
        .replace("@MEDIA_PORT@", "[rtpstream_audio_port]" if has_media else "[media_port]")
        .replace("@STAY_MS@", str(max(1, stay_ms)))
        .replace("@ANSWER_MS@", str(answer_ms))
    )
    (directory / "scenario.xml").write_text(scenario)
    (directory / "callers.csv").write_bytes(_injected(callers, did))
    command = [
        "sipp", f"127.0.0.1:{sip_port}", "-sf", "scenario.xml", "-inf", "callers.csv",
        "-i", source, "-p", str(_free_port(source)), "-mi", source, "-mp", str(free_media_port(source)),
        "-m", str(count), *_rate(rate), "-l", str(max(count, 1)), "-nostdin",
        "-trace_stat", "-stf", "statistics.csv", "-fd", "3600", "-trace_err", "-error_file", "errors",
        "-recv_timeout", str(answer_ms + 5000),
    ]  # fmt: skip
    with (directory / "output").open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    key_seconds = (digits_after_ms + (digit_gap_ms + 1000) * len(digits)) / 1000
    seconds = count / rate + (answer_ms + stay_ms) / 1000 + key_seconds + 30
    return PlacedCalls(process, directory, seconds)


def _rate(rate: float) -> list[str]:
    """SIPp wants whole calls in a period of whole milliseconds."""
    if rate <= 0:
        raise ValueError("the rate must be above nothing")
    if rate >= 1:
        return ["-r", str(round(rate)), "-rp", "1000"]
    return ["-r", "1", "-rp", str(round(1000 / rate))]


def _injected(callers: Sequence[Caller], did: str) -> bytes:
    if not callers:
        raise ValueError("somebody has to call")
    lines = ["SEQUENTIAL", *(_fields(caller, did) for caller in callers)]
    return ("\n".join(lines) + "\n").encode("utf-8", "surrogateescape")


def _fields(caller: Caller, did: str) -> str:
    if any(sign in text for text in (caller.number, caller.name, did) for sign in ";\r\n"):
        raise ValueError("SIPp's injection file cannot carry a semicolon or a line end: write %3b, %0d%0a")
    name = '"' + caller.name.replace("\\", "\\\\").replace('"', '\\"') + '" ' if caller.name else ""
    if caller.is_anonymous:
        who = '"Anonymous" <sip:anonymous@anonymous.invalid>'
        return f"{who};{did};Privacy: id;P-Asserted-Identity: {name}<sip:{caller.number}@127.0.0.1>"
    return f"{name}<sip:{caller.number}@127.0.0.1>;{did};{_NO_HEADER};{_NO_HEADER}"


def _digits(digits: str, after_ms: int, gap_ms: int) -> str:
    if not re.fullmatch(r"[0-9*#A-D,]*", digits):
        raise ValueError(f"{digits!r} cannot be keyed")
    template = (SCENARIOS / "digit.xml").read_text()
    parts: list[str] = []
    wait_ms = after_ms
    for digit in digits:
        if digit == ",":
            wait_ms += 1000
            continue
        parts.append(template.replace("@PAUSE_MS@", str(wait_ms)).replace("@DIGIT@", digit))
        wait_ms = gap_ms
    return "".join(parts)


def _media(directory: Path) -> str:
    """A square wave in u-law, 400 Hz, played for as long as the call lasts."""
    (directory / "sound.ulaw").write_bytes((b"\x9a" * 10 + b"\x1a" * 10) * (400 * _ULAW_SECONDS))
    return '<nop><action><exec rtp_stream="sound.ulaw,-1,0"/></action></nop>'


def _free_port(address: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        port: int = probe.getsockname()[1]
        return port
