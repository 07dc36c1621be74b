"""The tables of the playlists as data.

This is the one place where a table or column is described. The writer (`transform.parquet`), the Glue tables,
docs/data-dictionary.md and the tests all follow it; `make schema` regenerates the second and the third.
docs/schema-evolution.md says how to change it.
"""

from typing import Final

from spotify_lake.schema.types import Column, Table, Type

KINDS: Final = ("song", "episode", "chapter", "local", "unavailable", "other")

_OLD_APPS_ONLY = "the app gets Spotify's 2026 development-mode contract"
_NO_OLD_DETAILS = f"the lake has no details of it (see DetailCallsPerRun) or {_OLD_APPS_ONLY}"
_NOT_SENT = "Spotify does not send it"

_SNAPSHOT_COLUMNS = (
    Column("playlist_id", Type.STRING, "Spotify id of the playlist.", "6rqhFgbbKwnb9MLmUQDhG6"),
    Column(
        "scheduled_at", Type.TIMESTAMP, "Time the snapshot was scheduled for (UTC).", "2026-11-20 06:00:00"
    ),
)

PLAYLISTS: Final = Table(
    "playlists",
    "playlist x snapshot",
    "Each playlist at each snapshot.",
    ("playlist_id",),
    (
        *_SNAPSHOT_COLUMNS,
        Column(
            "fetched_at",
            Type.TIMESTAMP,
            "Time Spotify sent the list, or reported it unchanged (UTC).",
            "2026-11-20 06:00:03.120000",
        ),
        Column("name", Type.STRING, "Title of the playlist.", "Road Trip", _NOT_SENT),
        Column(
            "description",
            Type.STRING,
            "Description by its owner; Spotify sends it with HTML entities, and here they are characters again.",
            "Windows down.",
            "there is none",
        ),
        Column("owner_id", Type.STRING, "Spotify id of the owner.", "nadia.k", _NOT_SENT),
        Column("owner_name", Type.STRING, "Display name of the owner.", "Nadia", "the owner has none"),
        Column(
            "snapshot_id",
            Type.STRING,
            "Spotify's version of the playlist; it changes with the entries, and with title, cover or privacy. Liked"
            " Songs have none: for them, a digest of their number and the first page.",
            "AAAAAqEcxS92ddZ6R83Q8TWFhYshm18s",
            "an imported dump lacks it",
        ),
        Column("is_public", Type.BOOLEAN, "Shown on the owner's profile.", "true", _NOT_SENT),
        Column("is_collaborative", Type.BOOLEAN, "Others may add to it.", "false", _NOT_SENT),
        Column("followers", Type.BIGINT, "Users who saved the playlist.", "1204", _OLD_APPS_ONLY),
        Column("entry_count", Type.INT, "Entries in the snapshot, rejected ones included.", "230"),
        Column(
            "image_url", Type.STRING, "Cover image, the largest.", "https://i.scdn.co/image/ab67…", "no cover"
        ),
        Column(
            "url", Type.STRING, "Link to the playlist.", "https://open.spotify.com/playlist/6rqh…", _NOT_SENT
        ),
        Column(
            "contract",
            Type.STRING,
            "How the entries were read: `items` (the 2026 endpoint), `tracks` (the old one, and Liked Songs) or"
            " `embedded` (the page inside the playlist object).",
            "items",
            values=("items", "tracks", "embedded"),
        ),
        Column(
            "is_complete",
            Type.BOOLEAN,
            "Whether the snapshot holds the whole list. Parts of lists, from imports, keep their positions; views,"
            " queries, change events and the report leave them out.",
            "true",
            "a dump does not say how long the list is; it counts as complete",
        ),
        Column(
            "is_imported",
            Type.BOOLEAN,
            "Imported from a file; otherwise the lake recorded what Spotify sent. The `scheduled_at` of an import lies"
            " a millisecond past a whole second, so it never equals that of a recorded snapshot.",
            "false",
        ),
    ),
)

PLAYLIST_ENTRIES: Final = Table(
    "playlist_entries",
    "position in a snapshot",
    "The entry at each position of the playlist. A song may have several positions.",
    ("playlist_id", "position"),
    (
        *_SNAPSHOT_COLUMNS,
        Column("position", Type.INT, "Position in the list; the first is 1.", "17"),
        Column(
            "kind",
            Type.STRING,
            "`song`, `episode` (podcast), `chapter` (audiobook), `local` (a file of the owner's), `unavailable` (taken"
            " down) or `other` (any type that Spotify may add).",
            "song",
            values=KINDS,
        ),
        Column(
            "song_id",
            Type.STRING,
            "Spotify id of the song; joins to songs when kind is `song`.",
            "11dFghVXANMlKmJXsNCbNl",
            "kind is neither `song` nor `unavailable`, or Spotify sends no data of an unavailable entry",
        ),
        Column(
            "uri",
            Type.STRING,
            "Spotify URI of the entry; it follows from kind and id if only those are known.",
            "spotify:track:11dFghVXANMlKmJXsNCbNl",
            "Spotify sends no data of an unavailable entry, or a dump of a local file lacks it",
        ),
        Column(
            "name",
            Type.STRING,
            "Title of the song, episode, chapter or file.",
            "Cut To The Feeling",
            "kind is `unavailable`, or the title cannot be read",
        ),
        Column(
            "added_at",
            Type.TIMESTAMP,
            "When it was added to the list (UTC).",
            "2026-03-01 18:22:09",
            "the entry is very old or Spotify made the playlist",
        ),
        Column(
            "added_by_id",
            Type.STRING,
            "Spotify id of the user who added it.",
            "nadia.k",
            _NOT_SENT,
        ),
        Column(
            "credits",
            Type.STRINGS,
            "Names of the artists of a local file; title of the podcast of an episode, or of the audiobook of a"
            " chapter.",
            "[The Rowers]",
            "kind is `song` or `unavailable`: the table songs has the artists",
        ),
    ),
)

SONGS: Final = Table(
    "songs",
    "song x snapshot",
    "Each song of the playlist once, however often it is in the list.",
    ("playlist_id", "song_id"),
    (
        *_SNAPSHOT_COLUMNS,
        Column("song_id", Type.STRING, "Spotify id of the song.", "11dFghVXANMlKmJXsNCbNl"),
        Column("name", Type.STRING, "Title.", "Cut To The Feeling", _NOT_SENT),
        Column(
            "album_id", Type.STRING, "Joins to albums.", "0tGPJ0bkWOUmH7MEOR77qc", "the song has no album"
        ),
        Column(
            "artist_ids",
            Type.STRINGS,
            "Spotify ids of the artists in the order of credit; each joins to artists.",
            "[6sFIWsNpZYqfjUpaCgueju]",
        ),
        Column("artist_names", Type.STRINGS, "Names, parallel to artist_ids.", "[Carly Rae Jepsen]"),
        Column("duration_ms", Type.INT, "Length in milliseconds.", "207959", _NOT_SENT),
        Column("is_explicit", Type.BOOLEAN, "Marked as having explicit lyrics.", "false", _NOT_SENT),
        Column(
            "isrc",
            Type.STRING,
            "International recording code: the same recording keeps it when Spotify changes the song's id.",
            "USUM71703861",
            _NOT_SENT,
        ),
        Column("popularity", Type.INT, "Spotify's popularity, 0 to 100.", "63", _OLD_APPS_ONLY),
        Column("disc_number", Type.INT, "Disc of the album.", "1", _NOT_SENT),
        Column("track_number", Type.INT, "Track on the disc.", "1", _NOT_SENT),
        Column("url", Type.STRING, "Link to the song.", "https://open.spotify.com/track/11dF…", _NOT_SENT),
    ),
)

ALBUMS: Final = Table(
    "albums",
    "album x snapshot",
    "Each album that has a song in the playlist.",
    ("playlist_id", "album_id"),
    (
        *_SNAPSHOT_COLUMNS,
        Column("album_id", Type.STRING, "Spotify id of the album.", "0tGPJ0bkWOUmH7MEOR77qc"),
        Column("name", Type.STRING, "Title.", "Cut To The Feeling", _NOT_SENT),
        Column("album_type", Type.STRING, "`album`, `single` or `compilation`.", "single", _NOT_SENT),
        Column(
            "artist_ids",
            Type.STRINGS,
            "Spotify ids of the album's artists; each joins to artists.",
            "[6sFIWsNpZYqfjUpaCgueju]",
            "the payload is older than album artists (2014)",
        ),
        Column(
            "release_date",
            Type.DATE,
            "Release date; the first day of the month or year where only that is known.",
            "2017-05-26",
            "Spotify sends none or an invalid one",
        ),
        Column(
            "release_date_precision",
            Type.STRING,
            "`day`, `month` or `year`: how much of release_date is known.",
            "day",
            "release_date is null",
            ("day", "month", "year"),
        ),
        Column("release_year", Type.INT, "Year of release_date.", "2017", "release_date is null"),
        Column("total_tracks", Type.INT, "Tracks on the album.", "1", _NOT_SENT),
        Column("label", Type.STRING, "Record label.", "604 Records", _NO_OLD_DETAILS),
        Column(
            "popularity",
            Type.INT,
            "Spotify's popularity, 0 to 100, as of when the lake got the album's details.",
            "52",
            _NO_OLD_DETAILS,
        ),
        Column(
            "image_url", Type.STRING, "Cover image, the largest.", "https://i.scdn.co/image/ab67…", "no cover"
        ),
        Column("url", Type.STRING, "Link to the album.", "https://open.spotify.com/album/0tGP…", _NOT_SENT),
    ),
)

ARTISTS: Final = Table(
    "artists",
    "artist x snapshot",
    "Each artist credited on a song, or on the album of a song, in the playlist.",
    ("playlist_id", "artist_id"),
    (
        *_SNAPSHOT_COLUMNS,
        Column("artist_id", Type.STRING, "Spotify id of the artist.", "6sFIWsNpZYqfjUpaCgueju"),
        Column("name", Type.STRING, "Name.", "Carly Rae Jepsen", _NOT_SENT),
        Column(
            "genres",
            Type.STRINGS,
            "Genres (deprecated by Spotify); often empty.",
            "[dance pop]",
            _NO_OLD_DETAILS,
        ),
        Column(
            "followers",
            Type.BIGINT,
            "Users who follow the artist, as of when the lake got the artist's details.",
            "2100345",
            _NO_OLD_DETAILS,
        ),
        Column(
            "popularity",
            Type.INT,
            "Spotify's popularity, 0 to 100, as of when the lake got the artist's details.",
            "71",
            _NO_OLD_DETAILS,
        ),
        Column("url", Type.STRING, "Link to the artist.", "https://open.spotify.com/artist/6sFI…", _NOT_SENT),
    ),
)

REJECTS: Final = Table(
    "rejects",
    "rejected entry",
    "Entries that could not become a row, with the reason and the JSON from Spotify.",
    ("playlist_id", "position"),
    (
        *_SNAPSHOT_COLUMNS,
        Column("position", Type.INT, "Position in the list; the first is 1.", "17"),
        Column(
            "reason",
            Type.STRING,
            "`undecodable` (the entry is not an object, or its type, id and URI cannot be read), `song_without_id`, or"
            " the name of the breaking quality rule that the entry violates.",
            "undecodable",
        ),
        Column(
            "detail",
            Type.STRING,
            "The exact problem.",
            "Expected `str | null`, got `int` - at `$.item.type`",
        ),
        Column("payload", Type.STRING, "The entry as JSON.", '{"item":{"type":7}}'),
    ),
)

QUALITY: Final = Table(
    "quality",
    "quality rule x snapshot",
    "The result of each quality rule for each snapshot, including rules without violations.",
    ("playlist_id", "rule"),
    (
        *_SNAPSHOT_COLUMNS,
        Column("rule", Type.STRING, "Name of the rule, from the list below the tables.", "song_duration"),
        Column("table_name", Type.STRING, "Table that it checks.", "songs"),
        Column("column_name", Type.STRING, "Column that it checks; `*` for all of them.", "duration_ms"),
        Column(
            "is_breaking",
            Type.BOOLEAN,
            "Whether entries with a violation became rejects; otherwise their rows stay in the tables.",
            "true",
        ),
        Column("checked", Type.INT, "Values checked, without nulls.", "230"),
        Column("violations", Type.INT, "Values that violate the rule.", "0"),
        Column(
            "example",
            Type.STRING,
            "Key of the first violating row: a position or a Spotify id. For a field that cannot be read also its path"
            " and value.",
            "11dFghVXANMlKmJXsNCbNl",
            "nothing violates the rule",
        ),
    ),
)

# The order of writing: the playlists row comes last, so it marks a complete snapshot.
TABLES: Final = (PLAYLIST_ENTRIES, SONGS, ALBUMS, ARTISTS, REJECTS, QUALITY, PLAYLISTS)
