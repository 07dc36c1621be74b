"""A few hundred cases of `make fuzz`, and that it would notice."""

import re
from typing import Any

import pytest

from spotify_lake.normalize import quality
from spotify_lake.normalize import rows as module
from spotify_lake.normalize.rows import Tables
from tests.support import fuzz


def test_no_mutation_loses_an_entry_or_raises_another_error() -> None:
    outcomes = fuzz.fuzz(20 * len(fuzz.KINDS), seed=3)
    assert set(outcomes) == set(fuzz.KINDS)
    assert {each.cases for each in outcomes.values()} == {20}
    untouched = outcomes.pop("untouched")
    assert (untouched.rejects.total(), untouched.violations, untouched.unreadable) == (0, 0, 0)
    assert untouched.entries >= 20
    reasons = sum((each.rejects for each in outcomes.values()), untouched.rejects)
    assert reasons["undecodable"]
    assert outcomes["odd secondary fields"].violations
    assert reasons["song_duration"]
    assert outcomes["implausible values"].violations
    assert {kind for kind, each in outcomes.items() if each.unreadable} <= fuzz.MAY_BE_UNREADABLE


def test_a_case_can_be_made_again() -> None:
    for kind in fuzz.KINDS:
        first, second = (fuzz.make(kind, fuzz.random.Random("7 1")) for _ in range(2))
        assert first == second


def losing_an_entry(tables: Tables) -> None:
    tables.rows["playlist_entries"] = tables.rows["playlist_entries"][1:]


def without_a_song(tables: Tables) -> None:
    tables.rows["songs"] = tables.rows["songs"][1:]


def with_text_for_a_number(tables: Tables) -> None:
    tables.rows["songs"] = [(*row[:7], "long", *row[8:]) for row in tables.rows["songs"]]


@pytest.mark.parametrize(
    "damage, named",
    [
        (losing_an_entry, "AssertionError"),
        (without_a_song, "entry_song"),
        (with_text_for_a_number, "ArrowInvalid|ArrowTypeError"),
    ],
)
def test_a_defect_is_noticed(damage: Any, named: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def defective(snapshot: Any) -> Tables:
        tables = module.normalize(snapshot)
        damage(tables)
        return tables

    monkeypatch.setattr(fuzz, "normalize", defective)
    with pytest.raises(AssertionError, match=rf"case \d+ of seed 3 \(.*(?:{named})"):
        fuzz.fuzz(30, seed=3)


def test_an_error_that_has_no_name_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quality, "RULES", ())
    monkeypatch.setattr(fuzz, "normalize", lambda _snapshot: {}["x"])
    with pytest.raises(AssertionError, match=re.escape("case 0 of seed 3 (untouched): KeyError('x')")):
        fuzz.fuzz(1, seed=3)


def test_it_says_what_it_ran(capsys: pytest.CaptureFixture[str]) -> None:
    assert fuzz.main(["--cases", str(len(fuzz.KINDS)), "--seed", "5"]) == 0
    shown = capsys.readouterr().out
    assert f"{len(fuzz.KINDS)} cases of seed 5" in shown
    assert all(kind in shown for kind in fuzz.KINDS)
