"""Recognizes playlist objects in any form they were saved in: their id, time, entries and head."""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import unquote

import msgspec

from cli.imports import fields
from cli.imports.entries import as_entry
from cli.imports.parts import Time, embedded_page
from cli.imports.shapes import is_entry, is_song, moment, number_of, row_kind, type_of, unflattened
from spotify_lake.spotify.models import Contract, Playlist

PLAYLIST_LINK = re.compile(
    r"(?:spotify:(?:user:[^:]+:)?playlist:|open\.spotify\.com/(?:[^?#]*/)?playlist/|/v1/(?:users/[^/]+/)?playlists/)"
    r"(?P<id>[^/?#:\s]+)"
)
STARRED_LINK = re.compile(r"(?:/users/|spotify:user:)(?P<user>[^/:]+)[/:]starred\b")
LINK_FIELDS = ("uri", "href", "url", "link", "next", "previous", "playlist_uri", "playlist_url")
# When a file says itself when it was made, in the fields that scripts and recorders use for it.
TIME_FIELDS = (
    "scheduled_at fetched_at captured_at exported_at exportedAt export_date exportDate exported backup_date backupDate"
    " backed_up_at generated_at generatedAt generated_on retrieved_at retrievedAt downloaded_at crawled_at scraped_at"
    " snapshot_at snapshot_date startedDateTime recorded_at timestamp date Date"
).split()
CHANGE_FIELDS = ("lastModifiedDate", "modified_at", "last_modified", "lastModified", "updated_at")
_PLAYLIST_FIELDS = frozenset(Playlist.__struct_fields__)
_TITLES = ("original_name", "title", "playlist_name", "playlistName")
_USER_LINK = re.compile(r"(?:/users?/|spotify:user:)(?P<id>[^/?#:\s]+)")


def is_playlist(value: Mapping[str, Any]) -> bool:
    """Return whether an object is a playlist, complete or in short."""
    if type_of(value) == "playlist" or "snapshot_id" in value or {"collaborative", "owner"} <= value.keys():
        return True
    if type_of(value) in {"track", "episode"}:
        return False
    uri = value.get("uri")
    if isinstance(uri, str) and (PLAYLIST_LINK.match(uri) or STARRED_LINK.match(uri)):
        return True
    named = any(
        value.get(field) is not None for field in ("name", "title", "id", "pid", "owner", "description")
    )
    if not named:
        return False
    summary = value.get("tracks")
    if isinstance(summary, dict) and summary.keys() == {"href", "total"}:
        return True
    return (
        any(_rows_of(value.get(field)) is not None for field in ("items", "tracks")) and "limit" not in value
    )


def _rows_of(body: Any) -> list[Any] | None:
    """The rows in what stands under a playlist's `tracks` or `items`: a page, a list, or a list of pages."""
    if isinstance(body, dict):
        body = body.get("items")
    if not isinstance(body, list):
        return None
    if body and all(isinstance(page, dict) and isinstance(page.get("items"), list) for page in body):
        body = [row for page in body for row in page["items"]]
    rows = [unflattened(row) for row in body]
    return rows if not any(rows) or row_kind(rows) else None


def has_unknown_entries(value: Mapping[str, Any]) -> bool:
    """Tell whether there are rows where entries belong that are none: links only, or the web player's form."""
    bodies = [value.get(field) for field in ("items", "tracks", "content")]
    rows = [body.get("items") if isinstance(body, dict) else body for body in bodies]
    return any(isinstance(each, list) and each for each in rows) and all(
        _rows_of(body) is None for body in bodies
    )


def split_playlist(value: dict[str, Any]) -> tuple[dict[str, Any], tuple[dict[str, Any], ...], Contract, str]:
    """Split a playlist object into itself and its pages of entries.

    As long as the object is as Spotify sends it, it is left whole and its contract is ``embedded``.
    """
    for field in ("items", "tracks"):
        body = value.get(field)
        rows = _rows_of(body)
        if rows is None:
            continue
        if isinstance(body, dict):
            entries = [as_entry(row) for row in rows]
            untouched = all(new is old for new, old in zip(entries, body["items"], strict=True))
            if untouched and embedded_page(value) is body:
                return value, (), "embedded", "a playlist object"
            pages = [{**body, "items": entries}]
        elif body and all(isinstance(page, dict) and isinstance(page.get("items"), list) for page in body):
            pages = [
                {**page, "items": [as_entry(unflattened(row)) for row in page["items"]]} for page in body
            ]
        else:
            pages = [{"items": [as_entry(row) for row in rows]}]
        head = {key: child for key, child in value.items() if key != field}
        what = "a playlist of the account-data export" if "lastModifiedDate" in value else "a playlist object"
        contract: Contract = "items" if is_new_contract(rows, []) else "tracks"
        return head, tuple(pages), contract, what
    return value, (), "tracks", "a playlist object without its entries"


def is_new_contract(rows: Sequence[Any], links: Sequence[str]) -> bool:
    """Return whether entries have the names of the Web API since February 2026."""
    if any(re.search(r"/playlists/[^/]+/items\b", link) for link in links):
        return True
    entries = [row for row in rows if isinstance(row, dict)]
    return any("item" in row for row in entries) and not any("track" in row for row in entries)


def own_id(value: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the id of a playlist object, from its fields or links, and where it was found."""
    own = value.get("id")
    if isinstance(own, str) and own.strip():
        return playlist_id_in(own), "the playlist object"
    linked, id_from = linked_id(value)
    if linked is not None:
        return linked, id_from
    for field in ("tracks", "items"):
        if isinstance(value.get(field), dict):
            linked, id_from = linked_id(value[field])
            if linked is not None:
                return linked, id_from
    if isinstance(value.get("pid"), int):
        return f"pid{value['pid']}", "its pid"
    return None, ""


def linked_id(value: Mapping[str, Any]) -> tuple[str | None, str]:
    """Return the playlist id in the links of an object, and which link has it."""
    links = [(field, value.get(field)) for field in LINK_FIELDS]
    urls = value.get("external_urls")
    if isinstance(urls, dict):
        links.append(("external_urls", urls.get("spotify")))
    for field, link in links:
        match = PLAYLIST_LINK.search(link) if isinstance(link, str) else None
        if match:
            return unquote(match["id"]), f"its {field}"
    return None, ""


def playlist_id_in(value: object) -> str | None:
    """Read a playlist's id, URI or link; whatever else a text holds is taken for an id."""
    if not isinstance(value, str) or not value.strip():
        return None
    match = PLAYLIST_LINK.search(value)
    return unquote(match["id"]) if match else value.strip()


def total_of(value: Mapping[str, Any], page: Mapping[str, Any]) -> int | None:
    """Return the length of the whole list, as the playlist or its page has it."""
    summaries = [value.get(field) for field in ("items", "tracks")]
    candidates = [page.get("total")]
    candidates += [summary.get("total") if isinstance(summary, dict) else summary for summary in summaries]
    values = fields.by_plain_name(value)
    candidates += [values.get(name) for name in fields.TOTAL]
    return next((number for number in map(number_of, candidates) if number is not None), None)


def row_playlist(row: Any) -> tuple[str | None, str | None]:
    """Return the playlist that a row says it belongs to: its id and its name."""
    if not (is_entry(row) or is_song(row)):
        return None, None
    values = fields.by_plain_name(row)
    own = fields.first(values, fields.PLAYLIST_ID)
    name = fields.first_text(values, fields.PLAYLIST_NAME)
    return playlist_id_in(str(own) if isinstance(own, int) else own), name


def time_field(value: Mapping[str, Any], fields: Sequence[str]) -> Time | None:
    """Return the time in the first of the fields that has one, also in recorded headers."""
    for field in fields:
        found = moment(value.get(field))
        if found is not None:
            return Time(found, f"its field {field}")
    headers, info = value.get("headers"), value.get("info")
    for inner, words in ((headers, "the response's Date header"), (info, None)):
        if isinstance(inner, dict) and inner is not value:
            for field in fields:
                values = inner.get(field) or inner.get(field.lower())
                found = moment(values[0] if isinstance(values, list) and values else values)
                if found is not None:
                    return Time(found, words or f"its field {field}")
    return None


def time_in_snapshot_id(snapshot_id: object) -> Time | None:
    """Lists made by Spotify itself carry the second of their last change in their snapshot_id."""
    if not isinstance(snapshot_id, str):
        return None
    try:
        text = base64.b64decode(snapshot_id + "=" * (-len(snapshot_id) % 4)).decode("ascii")
    except ValueError:
        return None
    changed = moment(text.partition(",")[0])
    return Time(changed, "its snapshot_id") if changed else None


def tidy_head(head: Mapping[str, Any]) -> dict[str, Any]:
    """Take the fields whose type is not the API's out of a playlist object, and keep them under `imported`."""
    tidy = dict(head)
    if not tidy.get("name"):
        title = next((tidy[field] for field in _TITLES if isinstance(tidy.get(field), str)), None)
        tidy |= {"name": title} if title else {}
    owner, url = tidy.get("owner"), tidy.get("url")
    if isinstance(owner, dict):
        tidy["owner"] = _owner(owner)
    if isinstance(url, str) and "open.spotify.com/" in url and not tidy.get("external_urls"):
        tidy["external_urls"] = {"spotify": url}
    if isinstance(tidy.get("numberOfFollowers"), int) and "followers" not in tidy:
        tidy["followers"] = {"total": tidy["numberOfFollowers"]}
    odd = {field: tidy.pop(field) for field in list(tidy) if not fits_playlist(field, tidy[field])}
    return tidy | ({"imported": odd} if odd else {})


def _owner(owner: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fill in an owner's id and display name from what stands for them."""
    links = [owner.get(field) for field in ("uri", "url", "href", "external_urls")]
    found = next(filter(None, (_USER_LINK.search(str(link)) for link in links if link)), None)
    known: dict[str, Any] = {}
    if not owner.get("id") and found:
        known["id"] = unquote(found["id"])
    if not owner.get("display_name") and isinstance(owner.get("name"), str):
        known["display_name"] = owner["name"]
    return {**owner, **known} if known else owner


def fits_playlist(field: str, value: Any) -> bool:
    """Tell whether a playlist object's field can be decoded."""
    if field not in _PLAYLIST_FIELDS or value is None:
        return True
    try:
        text = json.dumps({field: value}, ensure_ascii=False).encode("utf-8", "replace")
        msgspec.json.decode(text, type=Playlist)
    except (msgspec.MsgspecError, RecursionError):
        return False
    return True
