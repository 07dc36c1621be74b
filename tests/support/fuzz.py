"""Mutated playlists against the decoder, normalization and the quality rules: `make fuzz CASES=100000 SEED=7`.

Every case is a raw object of a few real entries, mutated in one way. It must end as tables in which each entry is a
row or a reject, which Parquet can hold, and which break no breaking rule; or as SnapshotUnreadable, where the object
itself and not an entry is damaged. Anything else stops the run with the case's number; the same seed makes it again.
"""

import argparse
import copy
import gzip
import json
import random
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Final

import pyarrow as pa

from local.spotify_stub import PLAYLISTS, Contract
from local.spotify_stub import playlists as lists
from local.spotify_stub.playlist_objects import entry_object
from spotify_lake.errors import SnapshotUnreadable
from spotify_lake.normalize import quality
from spotify_lake.normalize.rows import Tables, normalize
from spotify_lake.raw import envelope
from spotify_lake.schema.playlists import TABLES
from spotify_lake.transform import parquet as lake
from tests.support import payloads

CASES: Final = 220_000  # of a run without --cases
DAY: Final = payloads.NOON.date()
DEEP: Final = (3, 100, 900, 1020, 5_000, 100_000)  # around and beyond the limits of every decoder
_DEEP: Final = "deep nesting goes here "
HUGE: Final = (1_000, 65_536, 300_000)
_POWERS = (7, 31, 32, 53, 63, 64, 200)
INTEGERS: Final = tuple(sign * 2**power + add for power in _POWERS for sign in (1, -1) for add in (-1, 0, 1))
SURROGATES: Final = ("\ud800", "a\udfffb", "\udc00\ud800", "\ud83d\ude00 \ud83d")
TIMES: Final = (
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "0000-00-00T00:00:00Z", "1969-12-31T23:59:59Z",
    "1970-01-01T00:00:00Z", "2016-12-31T23:59:60Z", "2026-11-20", "2026-02-30T00:00:00Z", "2026-11-20T12:00:00",
    "2026-11-20T12:00:00.123456789Z", "20261120T120000Z", "3026-11-20T12:00:00Z", "1859-01-01T00:00:00Z", "",
)  # fmt: skip
IMPLAUSIBLE: Final[dict[str, tuple[Any, ...]]] = {
    "duration_ms": (-1, 0, 1, 86_399_999, 86_400_000, 2**31 - 1, -(2**31)),
    "popularity": (-1, 0, 100, 101, 2**31 - 1),
    "total": (-1, 0, 2**62, -(2**63)),
    "release_date": ("0000", "0001", "1859-12-31", "9999-12-31", "2031", "2026-02-30", "12-31"),
    "added_at": TIMES,
    "id": ("", "same", None, "\x00", "a" * 500),
}
ODD: Final[tuple[Any, ...]] = (
    None, True, False, 0, -1, 1.5, float("nan"), float("inf"), "", "text", "\x00", [], {}, [None], [[]], {"": None},
    {"id": 7}, {"items": None}, "2026-11-20T12:00:00Z", 2**70,
)  # fmt: skip

IDENTITY: Final = {"type", "id", "uri", "item", "track"}  # what an entry is
SECONDARY: Final = (
    "duration_ms", "popularity", "total_tracks", "followers", "genres", "label", "disc_number", "track_number",
    "explicit", "release_date", "images", "external_urls", "external_ids", "artists",
)  # fmt: skip
FRACTIONS: Final = (156923.0, 4.9e7, 0.5, -0.0, 1e300, 2.0**63, "51", "5e1")
UNIDENTIFIED: Final = {"undecodable", "song_without_id"}  # reasons that identity alone may give

type Spot = tuple[Any, Any]  # a container, and the key of one of its values


@cache
def real_entries() -> tuple[str, ...]:
    """Entries as Spotify sends them, as JSON: real songs in both contracts, and every kind of entry."""
    names: tuple[str, ...] = ("Top 100", "Odds & Ends", "Featuring")
    contracts: tuple[Contract, ...] = ("new", "legacy")
    listed = [entry for name in names for entry in lists.entries(PLAYLISTS[name], DAY)[:25]]
    sent = [entry_object(entry, each, DAY, frozenset()) for entry in listed for each in contracts]
    for container, key in _spots(sent):
        if key == "available_markets":
            container[key] = container[key][:2]  # of hundreds of countries, which nothing reads
    return tuple(json.dumps(entry) for entry in (*payloads.every_kind(), *sent))


@dataclass
class Case:
    """An object in the making.

    Attributes
    ----------
    envelope
        As JSON, with one page of entries.
    chance
        Makes every choice.
    """

    envelope: dict[str, Any]
    chance: random.Random

    @property
    def entries(self) -> list[Any]:
        found: list[Any] = self.envelope["pages"][0]["items"]
        return found

    def spot(self, within: Any = None, wanted: Callable[[Spot], bool] = lambda _: True) -> Spot | None:
        """Choose a value inside the entries, or inside something else; None if there is none that is wanted."""
        found = [spot for spot in _spots(self.entries if within is None else within) if wanted(spot)]
        return self.chance.choice(found) if found else None

    def set(self, spot: Spot | None, value: Any) -> None:
        if spot:
            container, key = spot
            container[key] = copy.deepcopy(value)  # what is shared would be changed for other cases, too

    def text(self) -> bytes:
        text = json.dumps(self.envelope)
        for depth in DEEP:
            before, after = ("[", "]") if depth % 3 else ('{"a":', "}")
            text = text.replace(f'"{_DEEP}{depth}"', before * depth + "0" + after * depth)
        return text.encode()


def _spots(value: Any) -> list[Spot]:
    """Return every place inside a value."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    return [spot for key in keys for spot in ((value, key), *_spots(value[key]))]


def _is_named(value: Any) -> bool:
    """Tell whether a value is a song, episode, album or artist."""
    return isinstance(value, dict) and "name" in value


def _untouched(_case: Case) -> None:
    pass


def _odd_fields(case: Case) -> None:
    """Anything in place of what does not say what an entry is, in the playlist and in a page's place."""
    for _ in range(case.chance.randint(1, 6)):
        spot = case.spot(wanted=lambda spot: isinstance(spot[1], str) and spot[1] not in IDENTITY)
        case.set(spot, case.chance.choice((*ODD, *INTEGERS, *FRACTIONS, *SURROGATES)))
    for _ in range(case.chance.randint(0, 4)):  # also where a song, album or artist has no such field
        if owner := case.spot(wanted=lambda spot: _is_named(spot[0][spot[1]])):
            value = case.chance.choice((*ODD, *INTEGERS, *FRACTIONS))
            name = case.chance.choice(SECONDARY)
            wrapped = {"total": value} if name == "followers" and case.chance.random() < 0.5 else value
            case.set((owner[0][owner[1]], name), wrapped)
    if case.chance.random() < 0.3:
        case.set(case.spot(case.envelope["playlist"]), case.chance.choice((*ODD, *INTEGERS, *FRACTIONS)))
    if case.chance.random() < 0.3:
        name = case.chance.choice(("total", "offset"))
        case.envelope["pages"][0][name] = case.chance.choice((*ODD, *INTEGERS, 3, 3.0, 101.0))


def _dropped_keys(case: Case) -> None:
    for _ in range(case.chance.randint(1, 4)):
        if spot := case.spot(wanted=lambda spot: isinstance(spot[0], dict)):
            del spot[0][spot[1]]


def _wrong_types(case: Case) -> None:
    for _ in range(case.chance.randint(1, 3)):
        case.set(case.spot(), case.chance.choice(ODD))


def _moved_values(case: Case) -> None:
    """One value in place of another, such as an album in place of an artist."""
    first, second = case.spot(), case.spot()
    if first and second:
        case.set(first, second[0][second[1]])


def _unknown_keys(case: Case) -> None:
    if spot := case.spot(wanted=lambda spot: isinstance(spot[0], dict)):
        name = case.chance.choice(("", "items", "new\u2028", "pages", "track", "item"))
        case.set((spot[0], name), case.chance.choice(ODD))


def _deep_nesting(case: Case) -> None:
    """In place of a value, or under a name that nothing reads."""
    deep = f"{_DEEP}{case.chance.choice(DEEP)}"
    if case.chance.random() < 0.5:
        case.set(case.spot(), deep)
    elif spot := case.spot(wanted=lambda spot: isinstance(spot[0], dict)):
        spot[0]["unknown"] = deep
    _implausible(case)


def _huge_strings(case: Case) -> None:
    character = case.chance.choice(("a", "é", "\U0001f3b5", "\x00", '"', "\\"))
    case.set(case.spot(), character * case.chance.choice(HUGE))


def _overflows(case: Case) -> None:
    wanted = case.spot(wanted=lambda spot: type(spot[0][spot[1]]) is int)
    case.set(wanted or case.spot(), case.chance.choice(INTEGERS))


def _lone_surrogates(case: Case) -> None:
    case.set(case.spot(wanted=lambda spot: isinstance(spot[0][spot[1]], str)), case.chance.choice(SURROGATES))
    if case.chance.random() < 0.3:
        _implausible(case)


def _odd_times(case: Case) -> None:
    spot = case.spot(wanted=lambda spot: spot[1] in {"added_at", "release_date"})
    case.set(spot or case.spot(), case.chance.choice(TIMES))
    if case.chance.random() < 0.2:
        name = case.chance.choice(("scheduled_at", "fetched_at"))
        case.envelope[name] = case.chance.choice(("0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"))


def _implausible(case: Case) -> None:
    """Values of the right type that quality rules may be about."""
    for _ in range(case.chance.randint(1, 4)):
        if spot := case.spot(wanted=lambda spot: spot[1] in IMPLAUSIBLE):
            case.set(spot, case.chance.choice(IMPLAUSIBLE[spot[1]]))
    if case.chance.random() < 0.3:
        case.entries.extend(copy.deepcopy(case.entries))


def _playlist(case: Case) -> None:
    """What surrounds the entries: the playlist, its times, details of its artists and albums."""
    case.envelope["details"] = {
        "artists": {payloads.artist()["id"]: payloads.artist()},
        "albums": {"x": None},
    }
    around = {
        key: case.envelope[key] for key in case.chance.sample(sorted(case.envelope), 4) if key != "pages"
    }
    spot = case.spot(around)
    case.set(spot, case.chance.choice((*ODD, *SURROGATES, *INTEGERS)))
    case.envelope.update(around)


def _flipped_bits(text: bytes, chance: random.Random) -> bytes:
    changed = bytearray(text)
    for _ in range(chance.choice((1, 1, 2, 8))):
        changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    return bytes(changed)


def _cut_and_spliced(text: bytes, chance: random.Random) -> bytes:
    start, end = sorted(chance.randrange(len(text)) for _ in range(2))
    return text[:start] + chance.choice((b"", text[start:end] * 2, b"\x00", b"NaN")) + text[end:]


# Damage to an entry, which must be a reject at worst; and damage to the object.
IN_ENTRIES: Final[dict[str, Callable[[Case], None]]] = {
    "untouched": _untouched,
    "odd secondary fields": _odd_fields,
    "dropped keys": _dropped_keys,
    "wrong types": _wrong_types,
    "moved values": _moved_values,
    "unknown keys": _unknown_keys,
    "huge strings": _huge_strings,
    "64-bit overflows": _overflows,
    "lone surrogates": _lone_surrogates,
    "odd times": _odd_times,
    "implausible values": _implausible,
    "deep nesting": _deep_nesting,
}
IN_OBJECT: Final[dict[str, Callable[[Case], None]]] = {"playlist and details": _playlist}
IN_TEXT: Final[dict[str, Callable[[bytes, random.Random], bytes]]] = {
    "flipped bits": _flipped_bits,
    "cut and spliced": _cut_and_spliced,
}
KINDS: Final = (*IN_ENTRIES, *IN_OBJECT, *IN_TEXT, "flipped bits in gzip")
# The standard library's decoder gives up on the whole object.
MAY_BE_UNREADABLE: Final = {"deep nesting", *IN_OBJECT, *IN_TEXT, KINDS[-1]}


@dataclass
class Outcome:
    """What became of the cases of one kind; entries are those of the readable ones."""

    cases: int = 0
    unreadable: int = 0
    entries: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    violations: int = 0


def make(kind: str, chance: random.Random) -> tuple[bytes, int | None]:
    """Return the bytes of a mutated raw object, and how many entries it has if the mutation cannot change that."""
    content = json.loads(_envelope())
    picked = chance.choices(real_entries(), k=chance.randint(1, 5))
    case = Case(content | {"pages": [{"items": [json.loads(entry) for entry in picked]}]}, chance)
    if mutate := IN_ENTRIES.get(kind) or IN_OBJECT.get(kind):
        mutate(case)
    number = len(case.entries)
    if chance.random() < 0.25:
        playlist = case.envelope["playlist"]
        if isinstance(playlist, dict):
            playlist["tracks"], case.envelope["contract"] = case.envelope["pages"].pop(), "embedded"
    text = case.text()
    if kind in IN_TEXT:
        return gzip.compress(IN_TEXT[kind](text, chance), 1, mtime=0), None
    data = gzip.compress(text, 1, mtime=0)
    if kind == KINDS[-1]:
        return _flipped_bits(data, chance), None
    return data, number


@cache
def _envelope() -> bytes:
    return gzip.decompress(payloads.raw_object([]))


def check(data: bytes, number: int | None) -> Tables:
    """Take an object through the code under test, and check what must hold of its tables."""
    tables = normalize(envelope.decode(data))
    assert number is None or tables.entry_count == number, "entries are missing"
    assert tables.unaccounted == 0
    at = 2  # the position, in both tables
    positions = sorted(
        int(str(row[at])) for name in ("playlist_entries", "rejects") for row in tables.rows[name]
    )
    first = positions[0] if positions else 1
    assert first == 1 or tables.is_partial
    assert positions == list(range(first, first + tables.entry_count))
    for table in TABLES:
        rows = tables.rows[table.name]
        for column, values in zip(table.columns, zip(*rows, strict=True), strict=False):
            array = pa.array(values, type=lake.ARROW_TYPES[column.type])
            assert column.nullable or array.null_count == 0, f"{table.name}.{column.name} is null"
        keys = {tuple(row[table.column_names.index(name)] for name in table.key) for row in rows}
        assert len(keys) == len(rows), f"{table.name} has a key twice"
    found = quality.check(tables.rows, first - 1 + tables.entry_count, payloads.NOON)
    broken = [each.rule.name for each in found if each.rule.breaking and each.violations]
    assert not broken, f"rows break {broken}"
    assert len(tables.rows["quality"]) == len(quality.RULES)
    return tables


def fuzz(cases: int, seed: int) -> dict[str, Outcome]:
    """Run cases of every kind in turn.

    Raises
    ------
    AssertionError
        Something does not hold; the message says which case.
    """
    outcomes = {kind: Outcome() for kind in KINDS}
    for case in range(cases):
        kind = KINDS[case % len(KINDS)]
        outcome = outcomes[kind]
        outcome.cases += 1
        data, number = make(kind, random.Random(f"{seed} {case}"))
        try:
            tables = check(data, number)
        except Exception as error:
            if isinstance(error, SnapshotUnreadable) and kind in MAY_BE_UNREADABLE:
                outcome.unreadable += 1
                continue
            raise AssertionError(f"case {case} of seed {seed} ({kind}): {error!r}") from error
        reasons = {str(row[3]) for row in tables.rows["rejects"]}
        if kind == "odd secondary fields" and reasons & UNIDENTIFIED:
            raise AssertionError(f"case {case} of seed {seed} ({kind}): an entry was rejected: {reasons}")
        outcome.entries += tables.entry_count
        outcome.rejects.update(str(row[3]) for row in tables.rows["rejects"])
        outcome.violations += sum(tables.violations.values())
    return outcomes


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="make fuzz")
    parser.add_argument("--cases", type=int, default=CASES)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(arguments)
    started = time.monotonic()
    outcomes = fuzz(options.cases, options.seed)
    print(
        f"{'mutation':22}{'cases':>9}{'unreadable':>12}{'entries':>10}{'rows':>10}{'rejects':>9}{'violations':>12}"
    )
    for kind, each in outcomes.items():
        rejects = each.rejects.total()
        print(
            f"{kind:22}{each.cases:9,}{each.unreadable:12,}{each.entries:10,}{each.entries - rejects:10,}{rejects:9,}"
            f"{each.violations:12,}"
        )
    reasons = sum((each.rejects for each in outcomes.values()), Counter[str]())
    print(
        "Reasons of rejects: " + ", ".join(f"{number:,} {reason}" for reason, number in reasons.most_common())
    )
    seconds = time.monotonic() - started
    print(
        f"{options.cases:,} cases of seed {options.seed} in {seconds:.0f} s: no entry lost, no other error."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
