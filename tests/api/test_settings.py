"""kb.toml: every mistake names the file, the line and what was expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from api.scheduler import read_trigger
from api.settings.reading import Settings, find_config, read_settings
from kb.errors import InvalidInputError
from kb.types import Audience

SOUND = """\
[hierarchy]
authorities = ["policy", "help_article"]

[[owners]]
name = "ana"
topics = ["vpn"]

[[owners]]
name = "ben"

[[sources]]
name = "help"
kind = "markdown"
location = "articles"
authority = "help_article"
audience = "public"
owner = "ana"

[[sources]]
name = "rules"
kind = "markdown"
location = "policies"
authority = "policy"
audience = "internal"
owner = "ben"
review_every_days = 365

[gaps]
window_weeks = 13

[drive]
schedule = "0 5 * * mon"
"""

REPLACED: list[tuple[str, str, int, str]] = [
    ('audience = "public"', 'audience = "staff"', 16, "'public', 'customer', 'partner' or 'intern"),
    ('audience = "internal"', 'audience = "INTERNAL"', 24, "'public', 'customer', 'partner'"),
    ('kind = "markdown"\nlocation = "articles"', 'kind = "wiki"\nlocation = "articles"', 13,
     "should be 'markdown'"),
    ('owner = "ana"', 'owner = "zoe"', 17, "unknown owner 'zoe' (expected one of: ana, ben)"),
    ('owner = "ben"', 'owner = "benn"', 25, "unknown owner 'benn' (expected one of: ana, ben)"),
    ('authority = "help_article"', 'authority = "gossip"', 15,
     "unknown authority 'gossip' (expected one of: policy, help_article)"),
    ('authority = "policy"', 'authority = 3', 23, "valid string"),
    ('location = "articles"\n', "", 11, "'sources.location' is missing"),
    ('audience = "internal"\n', "", 19, "'sources.audience' is missing"),
    ('name = "help"\n', "", 11, "'sources.name' is missing"),
    ('name = "rules"', 'name = "help"', 20, "'help' is there twice"),
    ('name = "ben"', 'name = "ana"', 9, "'ana' is there twice"),
    ('name = "help"', 'name = "help desk"', 12, "match pattern"),
    ('name = "help"', 'name = ""', 12, "match pattern"),
    ('name = "ana"\n', 'name = "a/b"\n', 5, "match pattern"),
    ('topics = ["vpn"]', 'topics = "vpn"', 6, "valid tuple"),
    ('topics = ["vpn"]', 'topic = ["vpn"]', 6, "did you mean 'topics'?"),
    ("review_every_days = 365", "review_every_days = 0", 26, "greater than or equal to 1"),
    ("review_every_days = 365", 'review_every_days = "yearly"', 26, "valid integer"),
    ("review_every_days = 365", "review_every_day = 365", 26, "did you mean 'review_every_days'?"),
    ("review_every_days = 365", 'password = "x"', 26, "expected one of: audience, authority"),
    ("window_weeks = 13", "window_weeks = 0", 29, "greater than or equal to 1"),
    ("window_weeks = 13", "window_weeks = 13.5", 29, "valid integer"),
    ("window_weeks = 13", "window_weeks = true", 29, "valid integer"),
    ("window_weeks = 13", "windows_weeks = 13", 29, "did you mean 'window_weeks'?"),
    ("window_weeks = 13", 'default_owner = "zoe"', 29, "unknown owner 'zoe'"),
    ("window_weeks = 13", 'publish_to = "blog"', 29, "unknown source 'blog'"),
    ("window_weeks = 13", "reopen_growth = 0.5", 29, "greater than or equal to 1"),
    ("window_weeks = 13", 'default_audience = "all"', 29, "'public', 'customer'"),
    ("window_weeks = 13", 'audience_by_product = {x = "all"}', 29, "'public', 'customer'"),
    ('schedule = "0 5 * * mon"', "schedule = 5", 32, "valid string"),
    ('schedule = "0 5 * * mon"', "drafts_per_drive = -1", 32, "greater than or equal to 0"),
    ('schedule = "0 5 * * mon"', 'schedule = "on mondays"', 32, "not a cron line"),
    ('schedule = "0 5 * * mon"', 'sync_schedule = "0 25 * * *"', 32, "not a cron line"),
    ('audience = "internal"', 'audience = "internal"\nschedule = "* * *"', 25, "not a cron line"),
    ("[gaps]", "[gap]", 28, "unknown key 'gap' (did you mean 'gaps'?)"),
    ("[drive]", "[robot]", 31, "unknown key 'robot' (expected one of: actions"),
    ('authorities = ["policy", "help_article"]', "authorities = []", 2, "at least 1 item"),
    ('authorities = ["policy", "help_article"]',
     'authorities = ["policy", "help_article", "policy"]', 2, "'policy' is there twice"),
    ("[[owners]]\nname = \"ben\"", "[owners]\nname = \"ben\"", 8, "not TOML"),
    ('topics = ["vpn"]', 'topics = ["vpn"', 8, "not TOML"),
    ('name = "ana"', 'name = "ana', 5, "not TOML"),
    ('name = "ana"', 'name = "ana"\nname = "ben"', 6, "not TOML"),
    ("[gaps]", "[gaps", 28, "not TOML"),
]  # fmt: skip

ADDED: list[tuple[str, int, str]] = [
    ('[actions]\npublish_article = "always"', 34, "'autonomous', 'human_approved' or 'forbidden'"),
    ('[actions]\npublish = "forbidden"', 34, "did you mean 'publish_article'?"),
    ("[freshness]\nreview_every_days = 0", 34, "greater than or equal to 1"),
    ('[encoder]\nkind = "openai"', 34, "'sentence-transformers' or 'hashing'"),
    ("[encoder]\nmodel = 3", 34, "valid string"),
    ('[encoder]\nbackend = "gpu"', 34, "'auto', 'onnx-int8', 'onnx' or 'torch'"),
    ('[encoder]\nmodel = "mine"\nbackend = "onnx"', 35, "'onnx' runs all-MiniLM-L6-v2 only"),
    ('[encoder]\nkind = "hashing"\nbackend = "onnx-int8"', 35, "runs all-MiniLM-L6-v2 only"),
    ('[language_model]\napi_key = "secret"', 34, "expected one of: base_url, input_price, model"),
    ('[language_model]\nmodel = "m"', 33, "base_url and model go together"),
    ('[language_model]\nbase_url = "ftp://x"\nmodel = "m"', 34, "pattern"),
    ("[language_model]\ntimeout_seconds = 0", 34, "greater than 0"),
    ("[storage]\nfolder = []", 34, "valid string"),
    ("[learning]\nsettle_days = -1", 34, "greater than or equal to 0"),
    ("[learning]\nsettle_days = 366", 34, "less than or equal to 365"),
    ("[learning]\nsettle_days = 1.5", 34, "valid integer"),
    ("[learning]\nquestions = 3", 34, "valid string"),
    ('[learning]\nquestion = "q.jsonl"', 34, "did you mean 'questions'?"),
    ("[retrieval]\nsemantic = -0.1", 34, "greater than or equal to 0"),
    ("[retrieval]\ntitle = 1.1", 34, "less than or equal to 1"),
    ('[retrieval]\nlexical = "much"', 34, "valid number"),
    ("[retrieval]\nlexical = nan", 34, "less than or equal to 1 (got nan)"),
    ("[retrieval]\nlexicl = 0.3", 34, "did you mean 'lexical'?"),
    ("[retrieval]\nlexical = 0\nsemantic = 0", 35, "semantic and lexical are both 0"),
    ('[links]\nallow_hosts = ["http://wiki"]', 34, "match pattern"),
    ('[links]\nallow_hosts = ["Wiki.internal"]', 34, "match pattern"),
    ("[links]\nper_host_seconds = 0", 34, "greater than or equal to 0.1"),
    ('[links]\nschedule = "weekly"', 34, "not a cron line"),
    ("[links]\nenable = true", 34, "did you mean 'enabled'?"),
    ('[notices]\nsmtp_host = "mail"', 34, "smtp_host needs smtp_from"),
    ('[notices]\nsmtp_from = "kb"', 34, "match pattern"),
    ('[notices]\nsmtp_password = "x"', 34, "unknown key 'notices.smtp_password'"),
    ('[notices]\nbase_url = "kb.example.com"', 34, "match pattern"),
    ("[notices]\nescalate_after_days = 3", 34, "escalation comes before the reminder"),
    ('[[notices.webhooks]]\nkind = "slack"', 33, "a webhook has a url or a url_env"),
    (
        '[[notices.webhooks]]\nkind = "slack"\nurl = "http://x"\nurl_env = "KB_X"',
        33,
        "or a url_env",
    ),
    (
        '[[notices.webhooks]]\nkind = "signed"\nurl = "http://x"\nowners = ["zoe"]',
        36,
        "unknown owner",
    ),
    ('[[owners]]\nname = "cem"\nfallback = "zoe"', 35, "unknown owner 'zoe'"),
    ('[[owners]]\nname = "cem"\nfallback = "cem"', 35, "unknown owner 'cem'"),
]


def refusal_of(path: Path, text: str) -> tuple[str, int]:
    """What is said about a file, and the line it names."""
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidInputError) as caught:
        read_settings(path)
    message = caught.value.message
    assert "\n" not in message
    assert message.startswith(f"{path}:"), message
    where = message.removeprefix(f"{path}:").partition(":")[0]
    return message, int(where)


def test_the_sound_file_is_read_as_meant(tmp_path: Path) -> None:
    path = tmp_path / "kb.toml"
    path.write_text(SOUND, encoding="utf-8")
    settings = read_settings(path)
    assert [s.name for s in settings.sources] == ["help", "rules"]
    assert settings.sources[1].audience is Audience.INTERNAL
    assert settings.sources[1].review_every_days == 365
    assert settings.owners[0].topics == ("vpn",)


@pytest.mark.parametrize(
    ("old", "new", "line", "expected"), REPLACED, ids=[f"{c[1]!r:.60}" for c in REPLACED]
)
def test_a_wrong_value_names_its_line(
    tmp_path: Path, old: str, new: str, line: int, expected: str
) -> None:
    assert SOUND.count(old) >= 1, "the case changes nothing"
    message, named = refusal_of(tmp_path / "kb.toml", SOUND.replace(old, new, 1))
    assert expected in message
    assert named == line, message


@pytest.mark.parametrize(("added", "line", "expected"), ADDED, ids=[c[0][:40] for c in ADDED])
def test_a_wrong_section_names_its_line(
    tmp_path: Path, added: str, line: int, expected: str
) -> None:
    message, named = refusal_of(tmp_path / "kb.toml", f"{SOUND}{added}\n")
    assert expected in message
    assert named == line, message


@pytest.mark.parametrize("raw", [b"\xff\xfe[a]", b'name = "\xe9"'])
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "kb.toml"
    path.write_bytes(raw)
    with pytest.raises(InvalidInputError, match="kb.toml: cannot be read"):
        read_settings(path)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"kb\.toml: not found; write one with 'kb init'"):
        find_config(tmp_path / "kb.toml")
    with pytest.raises(InvalidInputError, match="not found"):
        find_config(tmp_path)


def test_an_empty_file_is_sound_and_every_default_passes_its_own_checks(tmp_path: Path) -> None:
    path = tmp_path / "kb.toml"
    path.write_text("", encoding="utf-8")
    settings = read_settings(path)
    assert settings == Settings()
    for schedule in (
        settings.drive.schedule,
        settings.drive.freshness_schedule,
        settings.drive.sync_schedule,
    ):
        read_trigger(schedule, where="default")


@pytest.mark.parametrize("key", ["gaps", "sources", "hierarchy", "encoder"])
def test_a_section_that_is_a_value_names_its_line(tmp_path: Path, key: str) -> None:
    message, named = refusal_of(tmp_path / "kb.toml", f"# first\n{key} = 3\n")
    assert f"'{key}': input should be" in message
    assert named == 2


def test_secrets_have_no_place_in_the_file(tmp_path: Path) -> None:
    for key in ("api_key", "password", "token", "database_url"):
        message, _ = refusal_of(tmp_path / "kb.toml", f'{key} = "x"\n')
        assert f"unknown key '{key}'" in message


def test_what_rankings_weigh_reaches_the_retriever(tmp_path: Path) -> None:
    path = tmp_path / "kb.toml"
    path.write_text("[retrieval]\nsemantic = 1\nlexical = 0.0\ntitle = 0.5\n", encoding="utf-8")
    weights = read_settings(path).retrieval.weights
    assert weights == {"semantic": 1.0, "lexical": 0.0, "title": 0.5}


SIGN_IN = """
[sign_in]
openid_issuer = "https://login.example"
client_id = "kbops"
allowed_domains = ["example.org"]

[[sign_in.grants]]
claim = "groups"
value = "kb-owners"
role = "owner"
owner = "ana"
"""


def test_a_provider_with_its_grants_is_read(tmp_path: Path) -> None:
    path = tmp_path / "kb.toml"
    path.write_text(SOUND + SIGN_IN)
    said = read_settings(path).sign_in
    assert (said.grants[0].owner, said.idle_minutes, said.keys) == ("ana", 120, True)


@pytest.mark.parametrize(
    ("before", "after", "part"),
    [
        ('client_id = "kbops"\n', "", "OpenID Connect needs a client_id"),
        ("https://login.example", "http://login.example", "the provider must be https"),
        ("https://login.example", "login.example", "openid_issuer"),
        ("https://login.example", "https://login.example?x=1", "openid_issuer"),
        ('owner = "ana"\n', "", "role 'owner' needs an owner"),
        ('role = "owner"\nowner = "ana"', 'role = "owner"\nowner = "zoe"', "unknown owner 'zoe'"),
        ('role = "owner"', 'role = "agent"', "'owner', 'editor' or 'admin'"),
        ("claim =", "claims =", "did you mean 'claim'?"),
        ("[sign_in]", "[sign_in]\nidle_minutes = 1", "greater than or equal to 5"),
        ("[sign_in]", '[sign_in]\npublic_url = "https://kb.example.org/kb"', "public_url"),
        ("[sign_in]", '[sign_in]\nkeys = "often"', "keys"),
    ],
)
def test_a_mistake_in_the_sign_in_is_told_with_its_line(
    tmp_path: Path, before: str, after: str, part: str
) -> None:
    path = tmp_path / "kb.toml"
    text = SOUND + SIGN_IN
    place = text.rindex(before)
    path.write_text(text[:place] + after + text[place + len(before) :])
    with pytest.raises(InvalidInputError, match=r"kb\.toml:\d+: ") as caught:
        read_settings(path)
    assert part in caught.value.message
    line = int(caught.value.message.split("kb.toml:")[1].split(":")[0])
    assert line > len(SOUND.splitlines())


def test_a_provider_that_lets_nobody_in_is_a_mistake(tmp_path: Path) -> None:
    path = tmp_path / "kb.toml"
    path.write_text(SOUND + SIGN_IN.split("[[sign_in")[0])
    with pytest.raises(InvalidInputError, match="nobody could come in"):
        read_settings(path)


@pytest.mark.parametrize("number", [0, 4, 1001, 20.5])
def test_autonomy_cannot_be_had_for_a_handful_of_approvals(tmp_path: Path, number: float) -> None:
    path = tmp_path / "kb.toml"
    path.write_text(SOUND + f"\n[actions]\nearned_approvals = {number}\n")
    with pytest.raises(InvalidInputError, match="earned_approvals"):
        read_settings(path)
