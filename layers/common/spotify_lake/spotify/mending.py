"""Reads what does not fit the models, field by field, so that one odd value costs only itself. Pure.

A whole number with a decimal point is read as an integer. A field that cannot be read becomes null and is reported.
The fields that identify an entry are not touched: without them there is no entry.
"""

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import Struct, inspect

from spotify_lake.spotify.models import Album, Artist, Content, Details, Entry, utc

MAX_DIGITS: Final = 4_000  # of a whole number
SHOWN: Final = 100  # characters of an unreadable value
UNDECODABLE: Final = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_TYPES: Final[dict[type[inspect.Type], type]] = {
    inspect.StrType: str,
    inspect.BoolType: bool,
    inspect.RawType: object,
}
# json.loads combines surrogate pairs; a lone surrogate cannot be stored as UTF-8.
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


class UnreadableField(NamedTuple):
    """A field that became null because its value does not have the type of the model.

    Attributes
    ----------
    position
        Of the entry; None for a field of the playlist, a page or the details.
    path
        Such as `item.album.total_tracks`.
    value
        The beginning of its JSON.
    """

    position: int | None
    path: str
    value: str


class Mender:
    """Collects the unreadable fields of a raw object.

    Attributes
    ----------
    found
        The unreadable fields, in the order of reading.
    """

    def __init__(self) -> None:
        self.found: list[UnreadableField] = []

    def mend(self, value: Any, model: type[Struct], path: str = "", position: int | None = None) -> Any:
        """Return the fields of a JSON object that a model has, unreadable ones replaced by null.

        Parameters
        ----------
        value
            From `json.loads`; anything but an object is returned unchanged.
        model
            A struct of `spotify.models`.
        path, position
            Where the object is; see `UnreadableField`.
        """
        if model is Entry and isinstance(value, dict):
            value = self._entry(value, position)
        return self._object(value, model, path, position) if isinstance(value, dict) else value

    def decode[Model: Struct](
        self, value: Any, model: type[Model], path: str = "", position: int | None = None
    ) -> Model:
        """Read a JSON object, as `mend` leaves it, into a struct.

        Raises
        ------
        UNDECODABLE
            It is not an object, or an entry without identity.
        """
        return msgspec.json.decode(storable_json(self.mend(value, model, path, position)), type=model)

    def details(self, details: Any) -> Details:
        """Read details one by one; what is not an object is left out, as if it had never been requested."""
        return Details(
            artists=self._details(details, "artists", Artist), albums=self._details(details, "albums", Album)
        )

    def _details[Model: Struct](self, details: Any, kind: str, model: type[Model]) -> dict[str, Model | None]:
        objects = details.get(kind) if isinstance(details, dict) else None
        return {
            object_id: self.decode(value, model, f"details.{kind}.{object_id}")
            for object_id, value in (objects.items() if isinstance(objects, dict) else ())
            if isinstance(value, dict)
        }

    def _entry(self, value: dict[str, Any], position: int | None) -> dict[str, Any]:
        """Drop the one of an entry's two fields for its content that is not used."""
        item, unused = value.get("item"), "track"
        if not isinstance(item, dict):
            if not isinstance(value.get("track"), dict):
                return value
            unused = "item"
            if item is not None:
                self._report(position, "item", item)
        return {key: field for key, field in value.items() if key != unused}

    def _object(
        self, value: dict[str, Any], model: type[Struct], path: str, position: int | None
    ) -> dict[str, Any]:
        keep = _identity(model, value)
        mended = {}
        for name, form in _fields(model):
            if name not in value:
                continue
            field = value[name]
            where = f"{path}.{name}" if path else name
            mended[name] = field if name in keep else self._value(field, form, where, position)
        return mended

    def _value(self, value: Any, form: inspect.Type, path: str, position: int | None) -> Any:
        match form:
            case inspect.StructType(cls=model) if isinstance(value, dict):
                return self._object(value, model, path, position)
            case inspect.StructType(cls=model) if model is Content:
                return value  # nothing says what the entry is
            case inspect.ListType(item_type=of) if isinstance(value, list):
                element = _required(of)
                mended = [
                    self._value(one, element, f"{path}[{number}]", position)
                    for number, one in enumerate(value)
                ]
                return mended if of is not element else [one for one in mended if one is not None]
        mended = _scalar(value, form)
        if mended is None and value is not None:
            self._report(position, path, value)
        return mended

    def _report(self, position: int | None, path: str, value: Any) -> None:
        self.found.append(UnreadableField(position, path, "".join(_shown(value))))


def parsed_json(text: bytes) -> Any:
    """Parse JSON with the standard library; a whole number that Python refuses because of its length stays a text."""
    return json.loads(text, parse_int=lambda digits: int(digits) if len(digits) < MAX_DIGITS else digits)


def storable_json(value: object) -> str:
    """Serialize to JSON that UTF-8 can represent: a lone surrogate becomes the replacement character."""
    return _LONE_SURROGATE.sub("\ufffd", json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def whole_number(value: object) -> int | None:
    """Return a count that Spotify sends, which may have a decimal point; None for anything else."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def _scalar(value: Any, form: inspect.Type) -> Any:
    """Return a value that a type accepts; None if it cannot be read as such."""
    match form:
        case inspect.IntType(ge=int(low), le=int(high)):
            number = whole_number(value)
            return number if number is not None and low <= number <= high else None
        case inspect.DateTimeType() if isinstance(value, str):
            with suppress(ValueError):  # which msgspec's errors are
                utc(msgspec.convert(value, datetime))
                return value
    accepted = _TYPES.get(type(form))
    return value if accepted and isinstance(value, accepted) else None


def _identity(model: type[Struct], value: dict[str, Any]) -> frozenset[str]:
    """Return the fields without which an entry is none. One of id and URI is enough."""
    if model is not Content:
        return frozenset()
    texts = {name for name in ("id", "uri") if isinstance(value.get(name), str) and value[name]}
    return frozenset({"type"} if texts else {"type", "id", "uri"})


@cache
def _fields(model: type[Struct]) -> tuple[tuple[str, inspect.Type], ...]:
    info = inspect.type_info(model)
    assert isinstance(info, inspect.StructType)  # noqa: S101 # nosec B101 # says so to mypy
    return tuple((field.encode_name, _required(field.type)) for field in info.fields)


def _required(form: inspect.Type) -> inspect.Type:
    """Return the type of a field that may also be null."""
    if not isinstance(form, inspect.UnionType):
        return form
    return next(each for each in form.types if not isinstance(each, inspect.NoneType))


def _shown(value: Any) -> Iterator[str]:
    """Yield the beginning of a value's JSON, without writing all of it."""
    left = SHOWN
    with suppress(RecursionError):
        for part in json.JSONEncoder(separators=(",", ":")).iterencode(value):
            yield part[:left]
            left -= len(part)
            if left <= 0:
                return
