"""Connectors' manifests are read from the folder, and every problem of them is told."""

from pathlib import Path

import pytest

from router.core.manifests import SettingType
from router.settings.errors import SettingsError
from router.settings.manifest_files import load_manifests

PROJECT = Path(__file__).resolve().parents[2]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "connectors").mkdir()
    return tmp_path


def test_a_manifest_is_known_by_its_files_name(folder: Path) -> None:
    text = 'label = "CRM"\ntested_with = "2.1"\n[[settings]]\nname = "url"\ntype = "url"\nrequired = true\n'
    (folder / "connectors" / "crm.toml").write_text(text)

    manifests = load_manifests(folder)

    assert "crm" in manifests
    assert manifests["crm"].slug == "crm"
    assert [(one.name, one.type, one.required) for one in manifests["crm"].settings] == [
        ("url", SettingType.URL, True)
    ]


def test_those_that_came_with_the_program_are_there_whatever_the_folder_holds(tmp_path: Path) -> None:
    built_in = {path.stem for path in (PROJECT / "config" / "connectors").glob("*.toml")}

    assert set(load_manifests(tmp_path)) == set(load_manifests(PROJECT / "config")) == built_in


def test_every_problem_of_every_manifest_is_told(folder: Path) -> None:
    (folder / "connectors" / "a.toml").write_text('[[settings]]\ntype = "urll"\n')
    (folder / "connectors" / "b.toml").write_text("settings = ")

    with pytest.raises(SettingsError) as refused:
        load_manifests(folder)

    told = [str(problem) for problem in refused.value.problems]
    assert len(told) == 3
    assert any("a.toml:2: " in text and "Did you mean `url`?" in text for text in told)
    assert any("b.toml:1: " in text for text in told)
