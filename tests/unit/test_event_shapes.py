"""Events of any shape: each function accepts them or refuses them with a sentence, and never trips over one."""

import contextlib
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spotify_lake.bulk import arrival
from spotify_lake.errors import EventError, UnknownDataSet
from spotify_lake.extract.request import ExtractRequest
from spotify_lake.extract.request import parse_event as read_run
from spotify_lake.raw.store import RawObject
from spotify_lake.transform.run import is_sqs_batch, raw_objects
from tests.support import payloads
from tests.support.template import ROOT


def read_arrival(event: Any) -> None:
    assert isinstance(arrival.parse_event(event, "spotify-lake"), arrival.Event)


def read_extract(event: Any) -> None:
    assert isinstance(read_run(event, lambda: payloads.NOON), ExtractRequest)


def read_transform(event: Any) -> None:
    if not is_sqs_batch(event):
        assert all(isinstance(one, RawObject) for one in raw_objects(event))


def variants(event: Any) -> Iterator[Any]:
    """Yield an event with each of its parts left out, or replaced by something of another type."""
    yield from (None, "text", 7, True, [], ["text"], {}, [event], {"object": "text"}, {"text": event})
    parts = event.items() if isinstance(event, dict) else enumerate(event) if isinstance(event, list) else ()
    for name, value in parts:
        if isinstance(event, list):
            yield from ([*event[:name], other, *event[name + 1 :]] for other in variants(value))
            continue
        rest = {other: event[other] for other in event if other != name}
        yield rest
        yield from (rest | {name: other} for other in variants(value))


@pytest.mark.parametrize("read", [read_arrival, read_extract, read_transform])
def test_recorded_events_with_any_part_replaced(read: Callable[[Any], None]) -> None:
    recorded = [json.loads(path.read_text()) for path in sorted((ROOT / "events").glob("*.json"))]
    assert len(recorded) >= 5
    accepted = refused = 0
    for event in recorded:
        for shape in variants(event):
            try:
                read(shape)
                accepted += 1
            except (EventError, UnknownDataSet):
                refused += 1
    assert accepted > 10
    assert refused > 100


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["Records", "s3", "bucket", "object", "key", "name", "detail", "detail-type", "state"]
            ),
            inner,
        )
    ),
)


@given(ANYTHING, st.sampled_from([read_arrival, read_extract, read_transform]))
def test_any_json(event: Any, read: Callable[[Any], None]) -> None:
    with contextlib.suppress(EventError, UnknownDataSet):
        read(event)
