"""What EventBridge makes of events: a template stays valid whatever an event says.

EventBridge puts values into a template as they are: "EventBridge doesn't escape values that are extracted by the input
path" (https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html). A message that is not
JSON then is lost.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from spotify_lake.changes.compare import compare, detail
from spotify_lake.normalize.rows import normalize
from spotify_lake.raw import envelope
from tests.support import payloads
from tests.support.template import ROOT, load, parse

HOSTILE = 'a "b"\n\\'

# Fields of the events by what they can hold: a pattern for ids, states, numbers, times and links that the service or
# the lake makes, None for text that people or error messages bring.
FIELDS: dict[str, dict[str, str | None]] = {
    # https://docs.aws.amazon.com/glue/latest/dg/automating-awsglue-with-cloudwatch-events.html
    "Glue Crawler State Change": {
        "$.detail.crawlerName": r"spotify-lake(-recovery)?",  # the pattern of the rule lets no other name through
        "$.detail.state": r"[A-Za-z]+",
        "$.detail.accountId": r"[0-9]{12}",
        "$.detail.message": None,
        "$.detail.errorMessage": None,
        "$.detail.cloudWatchLogLink": None,
        "$.detail.runningTime": None,
        "$.detail.warningMessage": None,
    },
    "Glue Job State Change": {
        "$.detail.jobName": r"spotify-lake-(charts|kaggle2023|forecast|popularity)",
        "$.detail.state": r"[A-Z]+",
        "$.detail.severity": r"[A-Z]+",
        "$.detail.jobRunId": r"jr_[0-9a-f]+(_attempt_[0-9]+)?",
        "$.detail.message": None,
    },
    # docs/events.md
    "Playlist Changed": {
        "$.detail.id": r"[0-9A-Za-z]{22}-[0-9TZ]+",
        "$.detail.playlist.id": r"[0-9A-Za-z]{22}",
        "$.detail.scheduled_at": r"[0-9T:.Z-]+",
        "$.detail.fetched_at": r"[0-9T:.Z-]+",
        "$.detail.counts.entries": r"[0-9]+",
        "$.detail.counts.entered": r"[0-9]+",
        "$.detail.counts.left": r"[0-9]+",
        "$.detail.counts.moved": r"[0-9]+",
        "$.detail.rows.bucket": r"[a-z0-9-]+",
        "$.detail.playlist.name": None,
        "$.detail.playlist.label": None,
        "$.detail.playlist.url": None,  # Spotify sends it
        "$.detail.snapshot_id": None,
        "$.detail.rows.sql": None,
    },
}
EXAMPLES = {
    "spotify-lake(-recovery)?": "spotify-lake-recovery",
    "[A-Za-z]+": "Failed",
    "[0-9]{12}": "123456789012",
    "spotify-lake-(charts|kaggle2023|forecast|popularity)": "spotify-lake-charts",
    "[A-Z]+": "FAILED",
    "jr_[0-9a-f]+(_attempt_[0-9]+)?": "jr_0fe1_attempt_1",
    "[0-9A-Za-z]{22}-[0-9TZ]+": "3Zk9vTqLm2Rw8YxNc5HdPf-20261120T060000Z",
    "[0-9A-Za-z]{22}": "3Zk9vTqLm2Rw8YxNc5HdPf",
    "[0-9T:.Z-]+": "2026-11-20T06:00:00Z",
    "[0-9]+": "17",
    "[a-z0-9-]+": "spotify-lake-lake-123456789012-eu-central-1",
}


def written_templates() -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every template of the project, those in the docs too."""
    for path in [ROOT / "template.yaml", *sorted((ROOT / "stacks").glob("*.yaml"))]:
        yield path.name, load(path)
    for path in sorted((ROOT / "docs").rglob("*.md")):
        for number, block in enumerate(re.findall(r"```ya?ml\n(.*?)```", path.read_text(), re.DOTALL), 1):
            yield f"{path.name}, block {number}", parse(block)


def transformers(found: Any, pattern: dict[str, Any] | None = None) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield each InputTransformer below a value, with the pattern of its rule."""
    if isinstance(found, dict):
        pattern = found.get("EventPattern", found.get("Pattern", pattern))
        if "InputTransformer" in found:
            yield found["InputTransformer"], pattern
        for each in found.values():
            yield from transformers(each, pattern)
    elif isinstance(found, list):
        for each in found:
            yield from transformers(each, pattern)


TRANSFORMERS = [
    pytest.param(transformer, pattern, id=f"{name}: {transformer['InputTemplate'][:40]}")
    for name, template in written_templates()
    for transformer, pattern in transformers(template)
]


def render(transformer: dict[str, Any], fields: dict[str, str | None]) -> str:
    """Return the message for an event whose every field is as hostile as it can be."""
    text: str = transformer["InputTemplate"]
    for name, path in transformer["InputPathsMap"].items():
        allowed = fields[path]
        text = text.replace(f"<{name}>", HOSTILE if allowed is None else EXAMPLES[allowed])
    return text


def test_the_templates_are_found():
    names = {name for name, template in written_templates() for _ in transformers(template)}
    assert names >= {"monitoring.yaml", "change-mails.yaml"}
    text = sum(
        path.read_text().count("InputTransformer:")
        for path in [
            ROOT / "template.yaml",
            *(ROOT / "stacks").glob("*.yaml"),
            *(ROOT / "docs").rglob("*.md"),
        ]
    )
    assert len(TRANSFORMERS) == text


@pytest.mark.parametrize("transformer, pattern", TRANSFORMERS)
def test_a_message_is_valid_whatever_the_event_says(transformer, pattern):
    [kind] = pattern["detail-type"]
    paths = transformer["InputPathsMap"]
    assert set(paths.values()) <= FIELDS[kind].keys(), "say in FIELDS what this field can hold"
    message = json.loads(render(transformer, FIELDS[kind]))
    assert isinstance(message, str)
    assert "<" not in message, "a variable without a path"
    names = [pattern["detail"].get(field, []) for field in ("crawlerName", "jobName")]
    assert all(set(name) <= {"Ref", "Sub"} for listed in names for name in listed), (
        "other names may hold anything"
    )
    assert set(re.findall(r"<(\w+)>", transformer["InputTemplate"])) == set(paths)


@pytest.mark.parametrize("kind", FIELDS)
def test_a_field_with_text_would_be_noticed(kind):
    text = [path for path, allowed in FIELDS[kind].items() if allowed is None]
    assert text
    for path in text:
        told = {"InputPathsMap": {"it": path}, "InputTemplate": '"It says <it>."'}
        with pytest.raises(ValueError, match=r"Invalid|Expecting|Extra data"):
            json.loads(render(told, FIELDS[kind]))


def test_the_examples_are_what_the_patterns_say():
    for fields in FIELDS.values():
        for allowed in filter(None, fields.values()):
            assert re.fullmatch(allowed, EXAMPLES[allowed])
            assert not re.fullmatch(allowed, HOSTILE)


def test_the_lake_s_own_event_has_these_fields():
    """An event of a hostile playlist: what the list above calls an id is one."""

    def tables(*songs):
        entries = [payloads.entry(payloads.song(one)) for one in songs]
        data = payloads.raw_object(entries, playlist_object=payloads.playlist() | {"name": HOSTILE})
        return normalize(envelope.decode(data))

    before, now = tables("a"), tables("b")
    event = {"detail": json.loads(json.dumps(detail(before, now, compare(before, now), "lake", ["k"])))}
    for path, allowed in FIELDS["Playlist Changed"].items():
        value: Any = event
        for name in path.removeprefix("$.").split("."):
            value = value[name]
        assert allowed is None or re.fullmatch(allowed, str(value)), path
