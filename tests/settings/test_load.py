"""Layers, types and messages of the operator's settings."""

from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest
import tomli

from router.core.destinations import DestinationKind
from router.settings.errors import SecretMissing, SettingsError
from router.settings.load import default_file, load_settings
from router.settings.model import Settings
from router.settings.single_sign_on import client_secret

REPOSITORY = Path(__file__).resolve().parents[2]
SECRET = {"CRMROUTE_AMI_SECRET": "canary-4711"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def write_local(folder: Path, text: str) -> None:
    (folder / "local.toml").write_text(text, encoding="utf-8")


def problems_of(folder: Path, environment: Mapping[str, str] = SECRET) -> list[str]:
    with pytest.raises(SettingsError) as refused:
        load_settings(folder, environment)
    return [str(problem) for problem in refused.value.problems]


def test_defaults_alone_make_the_settings(folder: Path) -> None:
    settings = load_settings(folder, SECRET)

    assert settings.router.hold_seconds == 6.0
    assert settings.router.lookup_seconds == 2.5
    assert settings.ami.claim_seconds == 0.3
    assert settings.asterisk[0].secret == "canary-4711"
    assert settings.destinations[DestinationKind.QUEUE] == "route-queue,{option},1"
    assert set(settings.destinations) == set(DestinationKind)


def test_every_setting_has_a_default_and_a_line_of_why() -> None:
    text = (REPOSITORY / "config" / "default.toml").read_text(encoding="utf-8")
    data = tomli.loads(text)

    named = {field.name for field in msgspec.structs.fields(Settings)}
    assert set(data) == named
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("["):
            assert lines[number - 1].startswith("#") or lines[number + 1].startswith("#"), line
    for section in named - {"asterisk", "destinations"}:
        struct = type(getattr(load_settings(REPOSITORY / "config", SECRET), section))
        assert set(data[section]) == {field.name for field in msgspec.structs.fields(struct)}


def test_a_folder_with_defaults_of_its_own_uses_them(folder: Path) -> None:
    own = folder / "default.toml"
    own.write_text(
        (REPOSITORY / "config" / "default.toml")
        .read_text()
        .replace("hold_seconds = 6.0", "hold_seconds = 9.0")
    )

    assert default_file(folder) == own
    assert load_settings(folder, SECRET).router.hold_seconds == 9.0


def test_environment_overrides_local_overrides_default(folder: Path) -> None:
    write_local(folder, "[router]\nhold_seconds = 8\nlookup_seconds = 3.5\n")

    settings = load_settings(folder, {**SECRET, "CRMROUTE__ROUTER__LOOKUP_SECONDS": "4"})

    assert settings.router.hold_seconds == 8
    assert settings.router.lookup_seconds == 4
    assert settings.router.settle_seconds == 3.0


@pytest.mark.parametrize(
    ("word", "meant"),
    [("true", True), ("1", True), ("on", True), ("False", False), ("no", False), ("0", False)],
)
def test_environment_words_for_booleans(folder: Path, word: str, meant: bool) -> None:
    settings = load_settings(folder, {**SECRET, "CRMROUTE__WORKER__HTTPS_ONLY": word})

    assert settings.worker.https_only is meant


def test_environment_reaches_destinations_and_servers(folder: Path) -> None:
    environment = {
        "CRMROUTE__DESTINATIONS__QUEUE": "ext-queues,{option},1",
        "CRMROUTE__ASTERISK__0__HOST": "10.0.0.5",
        "CRMROUTE__ASTERISK__0__PORT": "5039",
        "CRMROUTE__ASTERISK__0__SECRET": "canary-4711",
    }

    settings = load_settings(folder, environment)

    assert settings.destinations[DestinationKind.QUEUE] == "ext-queues,{option},1"
    assert (settings.asterisk[0].host, settings.asterisk[0].port) == ("10.0.0.5", 5039)
    assert settings.asterisk[0].secret == "canary-4711"


@pytest.mark.parametrize(
    ("text", "networks"),
    [
        ("", ()),
        ("10.20.0.0/16", ("10.20.0.0/16",)),
        ("127.0.0.1, fd12::/48 ,", ("127.0.0.1", "fd12::/48")),
    ],
)
def test_a_list_of_texts_is_one_variable(folder: Path, text: str, networks: tuple[str, ...]) -> None:
    write_local(folder, '[worker]\nallowed_networks = ["192.168.0.0/16"]\n')

    settings = load_settings(folder, {**SECRET, "CRMROUTE__WORKER__ALLOWED_NETWORKS": text})

    assert settings.worker.allowed_networks == networks


def test_local_servers_replace_the_default_list(folder: Path) -> None:
    server = 'host = "10.0.0.{n}"\nport = 5038\nusername = "router-a"\nsecret = "s"\n'
    write_local(folder, "".join(f'[[asterisk]]\nname = "pbx{n}"\n{server.format(n=n)}' for n in (1, 2)))

    settings = load_settings(folder, {})

    assert [server.name for server in settings.asterisk] == ["pbx1", "pbx2"]


def test_an_empty_template_withdraws_the_kind(folder: Path) -> None:
    write_local(folder, '[destinations]\nexternal = ""\n')

    assert DestinationKind.EXTERNAL not in load_settings(folder, SECRET).destinations


def test_a_worker_needs_no_ami_secret(folder: Path) -> None:
    assert load_settings(folder, {}, with_asterisk=False).asterisk == ()


def test_all_problems_are_told_at_once_with_file_line_and_mend(folder: Path) -> None:
    write_local(
        folder,
        "[router]\n"
        "hold_secnds = 6\n"
        'lookup_seconds = "2"\n'
        "[destinations]\n"
        'queue = "ext-queues,{opt},1"\n'
        'ivr = "nonsense"\n'
        'quue = "a,b,1"\n'
        "[log]\n"
        'level = "warn"\n'
        "[[asterisk]]\n"
        'name = "pbx"\n'
        "port = 70000\n"
        'secret = { env = "NO_SUCH" }\n',
    )

    told = problems_of(folder)

    local = folder / "local.toml"
    for line, words in [
        (2, "there is no setting `hold_secnds` here. Did you mean `hold_seconds`?"),
        (3, "it must be a number, not a text. Write it without quotes: lookup_seconds = 2."),
        (5, "`{opt}` is not known here"),
        (6, "`nonsense` is not a place in the dialplan"),
        (7, "Did you mean `queue`?"),
        (9, "Did you mean `warning`?"),
        (10, "`host` is missing"),
        (10, "`username` is missing"),
        (12, "It must be at most 65535"),
        (13, "the environment variable NO_SUCH is not set"),
    ]:
        assert any(text.startswith(f"{local}:{line}: ") and words in text for text in told), (
            line,
            words,
            told,
        )
    assert len(told) == 10


def test_a_bad_variable_is_named_and_its_value_is_not(folder: Path) -> None:
    told = problems_of(
        folder,
        {
            **SECRET,
            "CRMROUTE__ROUTER__HOLD_SECOND": "canary",
            "CRMROUTE__REDIS__SHARDS": "canary",
            "CRMROUTE__ASTERISK__7__HOST": "canary",
            "CRMROUTE__ROUTER": "canary",
            "CRMROUTE__AMI__PINGS_MISSED": "0",
            "CRMROUTE__WORKER__ALLOWED_NETWORKS": "10.0.0.0/33",
            "CRMROUTE__WORKER__ALLOWED_NETWORKS__0": "canary",
        },
    )

    assert any(
        "CRMROUTE__ROUTER__HOLD_SECOND" in text and "Did you mean HOLD_SECONDS?" in text for text in told
    )
    assert any("CRMROUTE__REDIS__SHARDS" in text and "not a whole number" in text for text in told)
    assert any("CRMROUTE__ASTERISK__7__HOST" in text for text in told)
    assert any("variable CRMROUTE__ROUTER:" in text and "whole table" in text for text in told)
    assert any("CRMROUTE__AMI__PINGS_MISSED" in text and "at least 1" in text for text in told)
    assert any("ALLOWED_NETWORKS: error: worker.allowed_networks[1]" in text for text in told)
    assert any("ALLOWED_NETWORKS__0" in text and "commas between" in text for text in told)
    assert len(told) == 7
    assert "canary" not in "".join(told)


def test_what_is_no_toml_is_told_with_its_line(folder: Path) -> None:
    write_local(folder, "[router]\nhold_seconds = = 6\n")

    assert any("local.toml:2: error: this is not TOML" in text for text in problems_of(folder))


def test_a_missing_value_is_told_by_its_table(folder: Path) -> None:
    text = (REPOSITORY / "config" / "default.toml").read_text(encoding="utf-8")
    (folder / "default.toml").write_text(text.replace("lookups = 200\n", ""), encoding="utf-8")

    assert any("`lookups` is missing. Add lookups = a number." in text for text in problems_of(folder))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[router]\nlookup_seconds = 7", "it is longer than hold_seconds (6)"),
        ("[router]\nhold_margin_seconds = 6", "it leaves nothing of hold_seconds"),
        ("[router]\nhold_seconds = inf", "at most 86400"),
        ("[router]\nhold_seconds = 0", "more than 0"),
        ("asterisk = []", "there is no Asterisk server"),
        ("[[asterisk]]\nname = []", "asterisk[1].name: it must be a text, not a list"),
        ("[asterisk]\nname = 'a'", "Write its header with two brackets: [[asterisk]]."),
        ("router = 5", "it must be a table, not a whole number"),
        ("[worker]\nhttps_only = 'yes'", "it must be true or false, not a text"),
        ("[worker]\nallowed_networks = '10.0.0.0/8'", "it must be a list, not a text"),
        ("[worker]\nallowed_networks = [10]", "worker.allowed_networks[1]: it must be a text"),
        (
            "[worker]\nallowed_networks = ['10.0.0.0/8', 'lan']",
            ":2: error: worker.allowed_networks[2]: `lan` is not a network. Write an address and the length",
        ),
        (
            "[worker]\nallowed_networks = [\n'10.0.0.0/8',\n'10.20.3.4/16',\n]",
            ":4: error: worker.allowed_networks[2]: `10.20.3.4/16` is not a network but an address within",
        ),
    ],
)
def test_impossible_settings_are_refused(folder: Path, text: str, words: str) -> None:
    write_local(folder, text)

    assert any(words in told for told in problems_of(folder))


def test_servers_of_one_name_are_refused(folder: Path) -> None:
    server = '[[asterisk]]\nname = "pbx"\nhost = "h"\nport = 1\nusername = "u"\nsecret = "s"\n'
    write_local(folder, server * 2)

    assert any(
        ":8: error: asterisk[2].name: two servers are named `pbx`" in told for told in problems_of(folder)
    )


def test_the_secret_is_in_no_repr(folder: Path) -> None:
    assert "canary" not in repr(load_settings(folder, SECRET))


SINGLE = """
[admin.single_sign_on]
issuer = "https://id.example/realms/calls"
client_id = "crmroute"
client_secret = { env = "NOT_HERE" }
"""


def test_an_identity_provider_needs_its_secret_in_the_admin_process_alone(folder: Path) -> None:
    write_local(folder, SINGLE)
    single = load_settings(folder, SECRET).admin.single_sign_on

    assert single.issuer == "https://id.example/realms/calls"
    with pytest.raises(SecretMissing, match="NOT_HERE is not set"):
        client_secret(single)
    assert "NOT_HERE" not in repr(single)


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ('issuer = "http://id.example"', "admin.single_sign_on.issuer"),
        ('client_id = ""', "admin.single_sign_on.client_id: it is empty"),
        ('scopes = ["email"]', "`openid` is not among them"),
        ('roles_claim = "groups"', "serve together"),
        ('roles = [{ value = "ops", role = "provider" }]', "serve together"),
        ('roles_claim = "g"\nroles = [{ value = "x", role = "admin" }]', "the role has no tenant"),
        (
            'roles_claim = "g"\nroles = [{ value = "x", role = "provider", tenant = "acme" }]',
            "a provider belongs to no tenant",
        ),
        ('roles_claim = "g"\nroles = [{ value = "x", role = "boss", tenant = "acme" }]', "role"),
    ],
)
def test_what_an_identity_provider_s_settings_must_not_say(folder: Path, changed: str, told: str) -> None:
    names = {line.partition(" =")[0] for line in changed.splitlines()}
    kept = [line for line in SINGLE.splitlines() if line.partition(" =")[0] not in names]
    write_local(folder, "\n".join([*kept, changed]))

    problems = problems_of(folder)

    assert told in problems[0]
    assert "local.toml:" in problems[0]
