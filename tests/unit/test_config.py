import pytest

from spotify_lake.errors import SettingsError
from spotify_lake.settings import (
    MAX_DETAIL_CALLS,
    ExtractSettings,
    ReportSettings,
    TransformSettings,
    parse_playlist_ids,
)

A, B = "6rqhFgbbKwnb9MLmUQDhG6", "37i9dQZEVXbMDoHDwVN2tF"
EXTRACT = {
    "RAW_BUCKET": "lake-raw",
    "PLAYLIST_IDS": "owned",
    "SPOTIFY_SECRET_ID": "lake/spotify",
    "SPOTIFY_API_URL": "https://api.spotify.com/",
    "SPOTIFY_ACCOUNTS_URL": "http://127.0.0.1:8080",
    "SCHEDULE_GROUP": "lake-continuations",
    "SCHEDULE_ROLE_ARN": "arn:aws:iam::123456789012:role/schedule",
    "SCHEDULE_DEAD_LETTERS_ARN": "arn:aws:sqs:us-east-1:123456789012:dead-letters",
}


@pytest.mark.parametrize(
    "text",
    [
        A,
        f"spotify:playlist:{A}",
        f"spotify:user:some.one-1:playlist:{A}",
        f"https://open.spotify.com/playlist/{A}",
        f"http://open.spotify.com/playlist/{A}",
        f"https://open.spotify.com/playlist/{A}?si=0123456789abcdef&pt=x",
        f"https://open.spotify.com/intl-de/playlist/{A}?si=1",
        f"https://open.spotify.com/user/nadia/playlist/{A}/",
        f"open.spotify.com/playlist/{A}#top",
        f"  {A} , ",
        f"{A},{A}",
    ],
)
def test_every_form_of_a_playlist_is_accepted(text: str) -> None:
    assert parse_playlist_ids(text) == (A,)


def test_several_playlists_keep_their_order() -> None:
    assert parse_playlist_ids(f"spotify:playlist:{A}, {B},{A}") == (A, B)


def test_owned_is_a_word() -> None:
    assert parse_playlist_ids(" owned ") == ("owned",)


def test_words_and_ids_can_be_combined() -> None:
    assert parse_playlist_ids(f"liked, {A},owned,spotify:playlist:{B},liked") == ("liked", A, "owned", B)


@pytest.mark.parametrize(
    "text, named",
    [
        ("", ""),
        (" , ", " , "),
        ("all", "all"),
        (f"Liked,{A}", "Liked"),
        (A[:-1], A[:-1]),
        (A + "x", A + "x"),
        (f"{A} {B}", f"{A} {B}"),
        (f"{A},spotify:album:{B}", f"spotify:album:{B}"),
        (f"https://open.spotify.com/album/{A}", "album"),
        (f"https://open.spotify.com.example.org/playlist/{A}", "example.org"),
        (f"https://example.org/?u=open.spotify.com/playlist/{A}", "example.org"),
        ("6rqhFgbbKwnb9MLmUQDhG\u0666", "\u0666"),
    ],
)
def test_what_is_no_playlist_is_refused_with_the_accepted_forms(text: str, named: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        parse_playlist_ids(text)
    message = str(refusal.value)
    assert named in message
    assert "PLAYLIST_IDS" in message
    assert "open.spotify.com/playlist/" in message


def test_settings_are_read_from_the_environment() -> None:
    settings = ExtractSettings.load(EXTRACT)
    assert settings.raw_bucket == "lake-raw"
    assert settings.playlists == ("owned",)
    assert settings.spotify_api_url == "https://api.spotify.com"
    transform = TransformSettings.load({"LAKE_BUCKET": "lake", "EVENT_BUS": "lake-changes"})
    assert (transform.lake_bucket, transform.event_bus) == ("lake", "lake-changes")


@pytest.mark.parametrize("name", sorted(EXTRACT))
@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_setting_is_named(name: str, value: str | None) -> None:
    environ = {key: text for key, text in EXTRACT.items() if key != name} | (
        {name: value} if value is not None else {}
    )
    with pytest.raises(SettingsError, match=f"Setting {name}="):
        ExtractSettings.load(environ)


REPORT = {
    "LAKE_BUCKET": "lake",
    "DATABASE": "spotify_lake",
    "WORKGROUP": "spotify-lake",
    "REPORT_DAYS": "730",
    "TIME_ZONE": "Europe/Berlin",
}


def test_the_reports_settings_are_read_from_the_environment() -> None:
    settings = ReportSettings.load(REPORT)
    assert (settings.lake_bucket, settings.database) == ("lake", "spotify_lake")
    assert (settings.workgroup, settings.days, settings.zone) == ("spotify-lake", 730, "Europe/Berlin")


@pytest.mark.parametrize("name", sorted(REPORT))
def test_the_report_names_its_missing_setting(name: str) -> None:
    with pytest.raises(SettingsError, match=f"Setting {name}="):
        ReportSettings.load({key: text for key, text in REPORT.items() if key != name})


@pytest.mark.parametrize("days", ["6", "3661", "-7", "7.5", "a year", "٧٧", "99999999999"])
def test_the_days_of_the_report_are_a_number_in_its_range(days: str) -> None:
    with pytest.raises(SettingsError, match="a whole number from 7 to 3660"):
        ReportSettings.load(REPORT | {"REPORT_DAYS": days})


@pytest.mark.parametrize("zone", ["UTC' OR 1=1 --", "Europe/Berlin'", "+02:00", "Europe Berlin"])
def test_the_reports_time_zone_is_a_name_that_sql_can_quote(zone: str) -> None:
    with pytest.raises(SettingsError, match="such as UTC or Europe/Berlin"):
        ReportSettings.load(REPORT | {"TIME_ZONE": zone})


def test_the_transform_names_its_missing_setting() -> None:
    with pytest.raises(SettingsError, match="LAKE_BUCKET"):
        TransformSettings.load({})


@pytest.mark.parametrize(
    "url",
    [
        "api.spotify.com",
        "ftp://api.spotify.com",
        "https://",
        "https://x/v1",
        "https://x?a=b",
        "https://x#a",
        "http://[::1",
    ],
)
def test_a_url_must_be_a_base_url(url: str) -> None:
    with pytest.raises(SettingsError, match="SPOTIFY_API_URL"):
        ExtractSettings.load(EXTRACT | {"SPOTIFY_API_URL": url})


def test_details_are_off_unless_a_number_of_requests_is_set() -> None:
    assert ExtractSettings.load(EXTRACT).detail_calls_per_run == 0
    for text, number in {"0": 0, " 25 ": 25, "1000": MAX_DETAIL_CALLS}.items():
        assert ExtractSettings.load(EXTRACT | {"DETAIL_CALLS_PER_RUN": text}).detail_calls_per_run == number


@pytest.mark.parametrize("text", ["", "-1", "1001", "1.5", "ten", "9" * 5000, "１０"])
def test_a_number_of_requests_must_be_one(text: str) -> None:
    with pytest.raises(SettingsError, match=r"DETAIL_CALLS_PER_RUN=.* from 0 to 1000"):
        ExtractSettings.load(EXTRACT | {"DETAIL_CALLS_PER_RUN": text})
