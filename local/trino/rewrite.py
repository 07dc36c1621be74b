"""Rewrites expressions of Trino whose like-named expression in DuckDB has another value or type."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from sqlglot import exp

from local.errors import LaptopError
from local.trino.rules import excerpt
from local.trino.types import MOST_DIGITS, NUMBERS, kind, scale

# Digits of a quotient: what DuckDB can still multiply without leaving decimals.
_DIGITS_OF_QUOTIENT: Final = 28


def rewrite(statement: exp.Expr) -> None:
    """Rewrite a statement, whose expressions have their types, in place."""
    for node in reversed(list(statement.walk())):
        rule = _RULES.get(type(node))
        if rule is not None:
            rule(node)


def _wrap(node: exp.Expr, make: Callable[[Any], exp.Expr]) -> None:
    """Replace a node by an expression that contains it or its parts; the type stays."""
    hole = exp.Null()
    node.replace(hole)
    made = make(node)
    if made.type is None:
        made.type = node.type
    hole.replace(made)


def _call(name: str, *arguments: Any) -> exp.Anonymous:
    return exp.Anonymous(
        this=name, expressions=[one if isinstance(one, exp.Expr) else _literal(one) for one in arguments]
    )


def _literal(value: int | str) -> exp.Expr:
    return exp.Literal.string(value) if isinstance(value, str) else exp.Literal.number(value)


def _cast(node: exp.Expr, to: str) -> exp.Cast:
    return exp.Cast(this=node, to=exp.DataType.build(to, dialect="duckdb"))


def _divide(node: exp.Div) -> None:
    kinds = {kind(node.left), kind(node.right)}
    if not kinds <= NUMBERS and "interval" not in kinds:
        raise LaptopError(
            f"The laptop cannot tell the types in {excerpt(node)}, on which it depends whether Athena cuts the"
            " fraction. Write CAST(… AS double) or CAST(… AS bigint) around one of them."
        )
    if kinds == {"integer"}:
        _wrap(node, lambda one: exp.IntDiv(this=one.left, expression=one.right))
    elif "double" in kinds or "interval" in kinds:
        _wrap(node, lambda one: exp.Div(this=one.left, expression=one.right, typed=False, safe=False))
    else:
        _wrap(node, lambda one: _quotient(one.left, one.right, scale(one)))


def _quotient(left: exp.Expr, right: exp.Expr, digits: int) -> exp.Expr:
    """Divide decimals: the result has as many digits after the point as the operand with more."""
    zero = exp.EQ(this=right.copy(), expression=_literal(0))
    divisor = exp.Case(ifs=[exp.If(this=zero, true=_call("error", "Division by zero"))], default=right)
    quotient = exp.Div(
        this=_cast(left, "DOUBLE"), expression=exp.Paren(this=divisor), typed=False, safe=False
    )
    return _cast(_call("ROUND", quotient, digits), f"DECIMAL({_DIGITS_OF_QUOTIENT}, {digits})")


def _aggregate(node: exp.Expr, to: str, change: Callable[[exp.Expr], exp.Expr] = lambda one: one) -> None:
    """Cast an aggregate, with its FILTER and OVER."""
    whole: exp.Expr = node
    while isinstance(whole.parent, (exp.Filter, exp.Window, exp.WithinGroup)) and whole.arg_key == "this":
        whole = whole.parent
    _wrap(whole, lambda one: _cast(change(one), to))


def _sum(node: exp.Expr) -> None:
    if kind(node) == "integer":
        _aggregate(node, "BIGINT")


def _avg(node: exp.Avg) -> None:
    if kind(node) == "decimal":
        digits = scale(node)
        _aggregate(node, f"DECIMAL({MOST_DIGITS}, {digits})", lambda one: _call("ROUND", one, digits))


def _extreme(node: exp.Expr) -> None:
    """Make max_by(x, y) return the x of the largest y even if that x is null, as Athena does."""
    if not node.args.get("count"):
        name = "arg_max_null" if isinstance(node, exp.ArgMax) else "arg_min_null"
        _wrap(node, lambda one: _call(name, one.this, one.expression))


def _keep_date(node: exp.Expr) -> None:
    """Keep a date a date where DuckDB makes it a timestamp."""
    if kind(node) == "date":
        _wrap(node, lambda one: _cast(one, "DATE"))


def _keep_integer(node: exp.Expr) -> None:
    """Keep an integer an integer where DuckDB makes it a double."""
    if kind(node.this) == "integer":
        _wrap(node, lambda one: _cast(one, "BIGINT"))


def _date_diff(node: exp.DateDiff) -> None:
    """Count whole units, not the boundaries in between."""

    def make(one: Any) -> exp.Expr:
        start, end = one.expression, one.this
        if kind(start) != kind(end):
            start, end = _cast(start, "TIMESTAMP"), _cast(end, "TIMESTAMP")
        return _call("date_sub", str(one.args["unit"]).lower(), start, end)

    _wrap(node, make)


def _now(node: exp.Expr) -> None:
    """Read the clock in UTC: DuckDB's times with a zone need a package that the emulator lacks."""
    _wrap(node, lambda _one: _call("date_trunc", "millisecond", _call("timezone", "UTC", _call("now"))))


def _from_unixtime(node: exp.UnixToTime) -> None:
    def make(one: Any) -> exp.Expr:
        milliseconds = _call("ROUND", exp.Mul(this=_cast(one.this, "DOUBLE"), expression=_literal(1000)))
        return _call("make_timestamp", exp.Mul(this=_cast(milliseconds, "BIGINT"), expression=_literal(1000)))

    _wrap(node, make)


def _from_iso(node: exp.Expr) -> None:
    _wrap(node, lambda one: _call("timezone", "UTC", _cast(one.this, "TIMESTAMPTZ")))


def _at_time_zone(node: exp.Expr) -> None:
    """Show a time, which is UTC, on the clocks of a time zone."""

    def make(one: Any) -> exp.Expr:
        moment, zone = (one.this, one.args["zone"]) if isinstance(one, exp.AtTimeZone) else one.expressions
        moment = _cast(moment, "TIMESTAMP")
        if zone.is_string and zone.name == "UTC":
            return moment
        return _call("timezone", zone, _call("timezone", "UTC", moment))

    _wrap(node, make)


def _call_of_trino(node: exp.Anonymous) -> None:
    if node.name.lower() == "at_timezone":
        _at_time_zone(node)


def _convert(node: exp.Cast) -> None:
    to, of = kind(node), kind(node.this)
    if node.to.this == exp.DType.TIMESTAMPTZ:
        if of == "varchar":
            _from_iso(node)
        else:
            _wrap(node, lambda one: _cast(one.this, "TIMESTAMP"))
    elif to == "integer" and of == "double":
        node.set("this", _call("ROUND", node.this))  # halves away from zero, not to the even number
    elif to == "varchar" and of == "timestamp":
        _wrap(node, lambda one: _call("strftime", one.this, "%Y-%m-%d %H:%M:%S.%g"))


def _subscript(node: exp.Bracket) -> None:
    """Fail for a position or key that does not exist, as Athena does; element_at gives null."""
    of = kind(node.this)
    if node.args.get("safe") or of not in {"array", "map"} or len(node.expressions) != 1:
        return
    index, value = node.expressions[0], node.this
    if of == "array":
        first = node.args.get("offset") or 0  # the parser counts from 0, but for columns: see `_parse`
        length = _call("len", value.copy())
        lacks: exp.Expr = exp.Or(
            this=exp.LT(this=index.copy(), expression=_literal(first)),
            expression=exp.GT(this=index.copy(), expression=length)
            if first
            else exp.GTE(this=index.copy(), expression=length),
        )
        message = "Array subscript out of bounds: element_at gives null instead"
    else:
        lacks = exp.Not(this=_call("map_contains", value.copy(), index.copy()))
        message = "Key not present in map: element_at gives null instead"
    error = exp.If(this=lacks, true=_call("error", message))
    _wrap(node, lambda one: exp.Case(ifs=[error], default=one))


def _regexp_extract(node: exp.RegexpExtract) -> None:
    """Give null, not an empty text, where nothing matches."""
    matches = _call("regexp_matches", node.this.copy(), node.expression.copy())
    _wrap(node, lambda one: exp.Case(ifs=[exp.If(this=matches, true=one)]))


def _regexp_replace(node: exp.RegexpReplace) -> None:
    replacement = node.args.get("replacement")
    if replacement is not None and replacement.is_string:
        text = re.sub(r"\$(\d)", r"\\\1", replacement.name.replace("\\", "\\\\"))
        replacement.replace(_literal(text))


def _split_part(node: exp.SplitPart) -> None:
    """Give null, not an empty text, after the last part."""
    parts = _call("len", _call("str_split", node.this.copy(), node.args["delimiter"].copy()))
    there = exp.LTE(this=node.args["part_index"].copy(), expression=parts)
    _wrap(node, lambda one: exp.Case(ifs=[exp.If(this=there, true=one)]))


def _extract(node: exp.Extract) -> None:
    if node.name.upper() in {"DOW", "DAY_OF_WEEK", "DAYOFWEEK"}:
        node.set("this", exp.var("ISODOW"))  # Monday is 1, Sunday 7


_RULES: Final[dict[type[exp.Expr], Callable[[Any], None]]] = {
    exp.Div: _divide,
    exp.Sum: _sum,
    exp.CountIf: _sum,
    exp.Avg: _avg,
    exp.ArgMax: _extreme,
    exp.ArgMin: _extreme,
    exp.Add: _keep_date,
    exp.Sub: _keep_date,
    exp.DateAdd: _keep_date,
    exp.TimestampTrunc: _keep_date,
    exp.DateTrunc: _keep_date,
    exp.Ceil: _keep_integer,
    exp.Floor: _keep_integer,
    exp.Round: _keep_integer,
    exp.Sign: _keep_integer,
    exp.DateDiff: _date_diff,
    exp.CurrentTimestamp: _now,
    exp.UnixToTime: _from_unixtime,
    exp.FromISO8601Timestamp: _from_iso,
    exp.AtTimeZone: _at_time_zone,
    exp.Anonymous: _call_of_trino,
    exp.Cast: _convert,
    exp.Bracket: _subscript,
    exp.RegexpExtract: _regexp_extract,
    exp.RegexpReplace: _regexp_replace,
    exp.SplitPart: _split_part,
    exp.Extract: _extract,
}
