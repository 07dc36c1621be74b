"""The tables of plays and of the library as data; `schema.playlists` says what follows from such a description.

Each file of an export and each day of polls has its own objects in these tables, a pure function of raw alone. Views
unite what several of them have.
"""

from typing import Final

from spotify_lake import keys
from spotify_lake.schema.types import Column, Table, Type

PLAYED_MONTH: Final = Column(
    keys.PLAYED_MONTH, Type.STRING, "UTC month of played_at; the partition of plays.", "2026-11"
)
SOURCES: Final = ("extended", "account", "api")  # the earlier one is believed
PLAY_KINDS: Final = ("song", "video", "episode", "chapter", "other")
LIBRARY_KINDS: Final = ("album", "show", "episode", "audiobook", "followed_artist")

_NOT_EXTENDED = "the source is not `extended`, or the row lacks it"

PLAYS: Final = Table(
    "plays",
    "play in an export's file or in a day of polls",
    "Each play as a source tells it. Sources overlap: the view listening has every play once.",
    ("source_object", "row"),
    (
        Column(
            "play_id",
            Type.STRING,
            "Identifies the play within its source: the same in every file and poll that holds it. A digest of"
            " source, played_at, what was played, ms_played and ordinal.",
            "5d41402abc4b2a76b9719d911017c592",
        ),
        Column(
            "source",
            Type.STRING,
            "`extended` (extended streaming history), `account` (account data) or `api` (recently played).",
            "extended",
            values=SOURCES,
        ),
        Column(
            "kind",
            Type.STRING,
            "`song`, `video` (a song's video), `episode` (podcast), `chapter` (audiobook) or `other` (neither names nor"
            " URI say).",
            "song",
            values=PLAY_KINDS,
        ),
        Column(
            "ordinal",
            Type.INT,
            "Counts the plays of a file that are equal in all that play_id is made of; the first is 1.",
            "1",
        ),
        Column(
            "played_at",
            Type.TIMESTAMP,
            "When the play ended (UTC). Account data has whole minutes; the API sometimes sends the start; for what was"
            " played offline, the time of synchronization.",
            "2026-11-20 18:22:09",
        ),
        Column(
            "heard_at",
            Type.TIMESTAMP,
            "When it was heard (UTC): for what was played offline, offline_timestamp where that is plausible; else"
            " played_at.",
            "2026-11-20 18:22:09",
        ),
        Column("ms_played", Type.BIGINT, "Milliseconds played.", "207959", "the source is `api`"),
        Column(
            "uri",
            Type.STRING,
            "Spotify URI of what was played.",
            "spotify:track:11dFghVXANMlKmJXsNCbNl",
            "account data has none, and what vanished from Spotify may lack it",
        ),
        Column(
            "song_id",
            Type.STRING,
            "Spotify id of the song; joins to songs.",
            "11dFghVXANMlKmJXsNCbNl",
            "it is no song, or the source has no URI",
        ),
        Column(
            "name",
            Type.STRING,
            "Title of the song, episode or chapter.",
            "Cut To The Feeling",
            "the source lacks it",
        ),
        Column(
            "artist_name",
            Type.STRING,
            "Artist of the song (in exports the album's artist), or author of an audiobook.",
            "Carly Rae Jepsen",
            "it is an episode, or the source lacks it",
        ),
        Column("album_name", Type.STRING, "Title of the album.", "Emotion", "the source lacks it"),
        Column(
            "show_name",
            Type.STRING,
            "Title of the podcast, or of the audiobook.",
            "Song Exploder",
            "it is a song",
        ),
        Column(
            "duration_ms",
            Type.INT,
            "Length of the song in milliseconds.",
            "207959",
            "the source is no API answer, or the answer lacks it",
        ),
        Column(
            "context_uri",
            Type.STRING,
            "The playlist, album or artist it was played from.",
            "spotify:playlist:6rqhFgbbKwnb9MLmUQDhG6",
            "the source is no API answer, or it was played from nowhere",
        ),
        Column("platform", Type.STRING, "Device or system, as Spotify spells it.", "ios", _NOT_EXTENDED),
        Column("country", Type.STRING, "Country of the connection (ISO 3166).", "DE", _NOT_EXTENDED),
        Column("reason_start", Type.STRING, "Why it started.", "trackdone", _NOT_EXTENDED),
        Column("reason_end", Type.STRING, "Why it ended.", "fwdbtn", _NOT_EXTENDED),
        Column("is_shuffled", Type.BOOLEAN, "Shuffle was on.", "true", _NOT_EXTENDED),
        Column(
            "is_skipped", Type.BOOLEAN, "It was skipped; not recorded in some years.", "false", _NOT_EXTENDED
        ),
        Column("is_offline", Type.BOOLEAN, "Played without a connection.", "false", _NOT_EXTENDED),
        Column("is_private", Type.BOOLEAN, "Played in a private session.", "false", _NOT_EXTENDED),
        Column(
            "offline_timestamp",
            Type.BIGINT,
            "As sent: seconds or milliseconds since 1970, or 0.",
            "1700000000",
            _NOT_EXTENDED,
        ),
        Column(
            "fields_known",
            Type.INT,
            "How many columns have a value: of the same play in several objects, the view listening takes the one that"
            " says most.",
            "18",
        ),
        Column(
            "source_object",
            Type.STRING,
            "Key of the raw object; for polls the first of the day that had the play.",
            "raw/plays/export/9f86d081….json.gz",
        ),
        Column("row", Type.INT, "Row in that object; the first is 1.", "4711"),
    ),
    partition=PLAYED_MONTH,
)

PLAY_FILES: Final = Table(
    "play_files",
    "raw object with plays",
    "Each file of an export and each poll, with what became of its rows: row_count = play_count + repeated_count +"
    " reject_count.",
    ("source_object",),
    (
        Column("source_object", Type.STRING, "Key of the raw object.", "raw/plays/export/9f86d081….json.gz"),
        Column("source", Type.STRING, "As in plays.", "extended"),
        Column(
            "form",
            Type.STRING,
            "`audio` or `video` (extended), `music`, `podcast` or `audiobook` (account), `recent` (api).",
            "audio",
        ),
        Column(
            "file_name",
            Type.STRING,
            "Name of the file when it was first imported.",
            "Streaming_History_Audio_2019-2021_3.json",
            "the source is `api`",
        ),
        Column(
            "fetched_at",
            Type.TIMESTAMP,
            "Time of the poll (UTC).",
            "2026-11-20 06:00:00",
            "the source is not `api`",
        ),
        Column("row_count", Type.INT, "Rows of the object.", "15873"),
        Column("play_count", Type.INT, "Rows of it in plays.", "15873"),
        Column(
            "repeated_count",
            Type.INT,
            "Plays of a poll that an earlier one of the day, or the same, has too; 0 for exports.",
            "0",
        ),
        Column("reject_count", Type.INT, "Rows of it in play_rejects.", "0"),
        Column(
            "unknown_fields",
            Type.STRINGS,
            "Names of fields that were not stored, since nobody knows whether they are private.",
            "[]",
        ),
        Column(
            "first_played_at",
            Type.TIMESTAMP,
            "Of its plays, repeated ones included (UTC).",
            "2019-01-01 10:00:00",
            "it has no play",
        ),
        Column(
            "last_played_at",
            Type.TIMESTAMP,
            "Of its plays, repeated ones included (UTC).",
            "2021-04-30 22:10:00",
            "it has no play",
        ),
    ),
    partition=None,
)

PLAY_REJECTS: Final = Table(
    "play_rejects",
    "row that is no play",
    "Rows that could not become a play, with the reason and the row without private fields.",
    ("source_object", "row"),
    (
        Column("source_object", Type.STRING, "Key of the raw object.", "raw/plays/export/9f86d081….json.gz"),
        Column("row", Type.INT, "Row in that object; the first is 1.", "4711"),
        Column(
            "reason",
            Type.STRING,
            "`no_object`, `no_time`, `impossible_time` (before Spotify, or more than a day after the import or poll),"
            " `no_milliseconds`, `impossible_milliseconds` (negative, or more than 7 days) or `nothing_played` (neither"
            " a name nor a URI).",
            "impossible_time",
        ),
        Column("detail", Type.STRING, "The exact problem.", "ts is 1970-01-01T00:00:00Z"),
        Column(
            "payload",
            Type.STRING,
            "The row as JSON, without private fields.",
            '{"ts":"1970-01-01T00:00:00Z"}',
        ),
    ),
    partition=None,
)

LIBRARY: Final = Table(
    "library",
    "item x day",
    "What the user has saved: albums, shows, episodes, audiobooks and followed artists on each day.",
    ("kind", "item_id"),
    (
        Column(
            "scheduled_at",
            Type.TIMESTAMP,
            "Time the snapshot was scheduled for (UTC).",
            "2026-11-20 06:00:00",
        ),
        Column(
            "kind",
            Type.STRING,
            "`album`, `show`, `episode`, `audiobook` or `followed_artist`.",
            "album",
            values=LIBRARY_KINDS,
        ),
        Column("item_id", Type.STRING, "Spotify id.", "0tGPJ0bkWOUmH7MEOR77qc"),
        Column("name", Type.STRING, "Title or name.", "Emotion", "Spotify does not send it"),
        Column(
            "creators",
            Type.STRINGS,
            "Names of the album's artists, the show's publisher, the episode's show or the audiobook's authors.",
            "[Carly Rae Jepsen]",
        ),
        Column(
            "added_at",
            Type.TIMESTAMP,
            "When it was saved (UTC).",
            "2026-03-01 18:22:09",
            "it is a followed artist, or Spotify does not send it",
        ),
        Column("position", Type.INT, "Position in Spotify's list of its kind; the first is 1.", "1"),
    ),
)

LISTENING_TABLES: Final = (PLAYS, PLAY_REJECTS, PLAY_FILES)  # in the order of writing
