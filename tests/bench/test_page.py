"""The page shows the files' figures and nothing else; a change's gain is read from its two files."""

from pathlib import Path
from typing import Any

import pytest

from tests.bench import files
from tests.bench.book import Book
from tests.bench.changes import change_rows
from tests.bench.page import page
from tests.bench.plots import draw_all
from tests.bench.test_targets import calls

MACHINE = {
    "commit": "abc1234", "processor": "A processor", "cores": 2, "memory_gb": 8, "kernel": "6.1",
    "asterisk": "22.10.1", "python": "3.11.7", "packages": {"redis": "8.1"},
}  # fmt: skip
CHANGE = """
[[changes]]
what = "Parse less"
kept = true
measure = "router's CPU per call, ms"
figure = "cpu_ms/router"
where = { what = "calls", peer = "crmroute" }
before = "before.json"
after = "after.json"
"""


def written(path: Path, *results: dict[str, Any]) -> files.Measurement:
    files.write(path, MACHINE, {}, results)
    return files.read(path)


def a_run(peer: str, p50: float, router: float = 0.9) -> dict[str, Any]:
    told = calls(peer, p50)
    cpu = {"asterisk": 5.0, **({"router": router} if peer == "crmroute" else {})}
    return told | {"calls": 3000, "arrived": 3000, "cpu_ms": cpu}


def test_the_page_tells_each_peer_s_figures_and_verdicts(tmp_path: Path) -> None:
    measured = written(tmp_path / "one.json", a_run("crmroute", 4.0), a_run("curl", 2.5))

    text = page([measured], {"delays": "delays.svg"})

    assert "| crmroute | 4.0 | 10.0 | 10.0 | all | 5.00 | 0.90 | router 0.90 |" in text
    assert "| at most 2 times | 1.60 times | reached |" in text
    assert "benchmarks/delays.svg" in text
    assert str(tmp_path) not in text


def test_pictures_are_made_of_what_was_measured_and_are_the_same_again(tmp_path: Path) -> None:
    book = Book([written(tmp_path / "one.json", a_run("crmroute", 4.0), a_run("curl", 2.5))])

    made = draw_all(book, tmp_path / "first")
    draw_all(book, tmp_path / "second")

    assert made == {"delays": "delays.svg", "cpu": "cpu.svg"}
    for name in made.values():
        assert (tmp_path / "first" / name).read_text() == (tmp_path / "second" / name).read_text()


def test_a_change_s_gain_is_read_from_its_files(tmp_path: Path) -> None:
    written(tmp_path / "before.json", a_run("crmroute", 5.0, router=2.0))
    written(tmp_path / "after.json", a_run("crmroute", 4.0, router=1.5))
    (tmp_path / "changes.toml").write_text(CHANGE)

    rows = change_rows(tmp_path / "changes.toml")

    assert rows == [["Parse less", "router's CPU per call, ms", "2.00", "1.50", "-25 %", "kept", ""]]


def test_a_change_whose_figure_nobody_measured_is_told(tmp_path: Path) -> None:
    written(tmp_path / "before.json", a_run("curl", 2.5))
    written(tmp_path / "after.json", a_run("curl", 2.5))
    (tmp_path / "changes.toml").write_text(CHANGE)

    with pytest.raises(SystemExit, match="has no cpu_ms/router"):
        change_rows(tmp_path / "changes.toml")


def test_a_file_of_something_else_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text('{"format": 7}')

    with pytest.raises(SystemExit, match=r"other.json is no file of the benchmark: its format is 7"):
        files.read(tmp_path / "other.json")
