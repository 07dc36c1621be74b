"""The types that Trino gives to the expressions of a statement."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.errors import OptimizeError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import Scope, traverse_scope

from local.errors import LaptopError

type _Schema = Mapping[str, Mapping[str, str]]

INTEGERS: Final = {exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT}
KINDS: Final = {
    **dict.fromkeys(INTEGERS, "integer"),
    exp.DType.DECIMAL: "decimal",
    exp.DType.DOUBLE: "double",
    exp.DType.FLOAT: "double",
    **dict.fromkeys((exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.CHAR), "varchar"),
    exp.DType.BOOLEAN: "boolean",
    exp.DType.DATE: "date",
    **dict.fromkeys((exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ, exp.DType.TIMESTAMPNTZ), "timestamp"),
    exp.DType.INTERVAL: "interval",
    exp.DType.ARRAY: "array",
    exp.DType.MAP: "map",
}
NUMBERS: Final = {"integer", "decimal", "double"}
TIMES: Final = {"date", "timestamp"}
MOST_DIGITS: Final = 38  # of a decimal


def kind(node: exp.Expr | None) -> str | None:
    """Return the kind of type that an expression has, such as ``integer``; None if it is not known."""
    return KINDS.get(node.type.this) if node is not None and node.type is not None else None


def scale(node: exp.Expr) -> int:
    """Return the digits after the point of a decimal or an integer."""
    digits = node.type.expressions if node.type is not None and kind(node) == "decimal" else []
    return int(digits[1].name) if len(digits) > 1 else 0


def annotate(statement: exp.Query, schema: _Schema, sql: str, aliases: Collection[str]) -> exp.Query:
    """Resolve the columns of a statement as Trino does, and set the type of each expression.

    Parameters
    ----------
    statement
        A query that contains the definitions of all tables it reads.
    schema
        Columns and types of the tables.
    sql
        The statement as written, for advice.
    aliases
        The names that its SELECT lists give, in small letters.

    Raises
    ------
    LaptopError
        A column does not exist, or is not visible where it is used.
    """
    try:
        resolved = qualify(
            statement,
            dialect=Trino,
            schema={table: dict(columns) for table, columns in schema.items()},
            expand_alias_refs=False,  # Trino knows the names of the SELECT list in ORDER BY only
            quote_identifiers=False,
        )
    except OptimizeError as error:
        raise LaptopError(_unresolved(statement, str(error), sql, aliases)) from error
    _qualify_having(resolved)
    return annotate_types(resolved, dialect=Trino, expression_metadata=_METADATA)


def _qualify_having(statement: exp.Expr) -> None:
    """Resolve the names in HAVING that are also in the SELECT list: Trino takes them from the tables alone."""
    for scope in traverse_scope(statement):
        having = scope.expression.args.get("having")
        for column in having.find_all(exp.Column) if having else ():
            if column.table:
                continue
            owner = next(
                (name for name, (_, one) in scope.selected_sources.items() if column.name in _names(one)),
                None,
            )
            if owner is None:
                raise LaptopError(_only_in_order_by(column.name))
            column.set("table", exp.to_identifier(owner))


def _names(source: Any) -> Collection[str]:
    of = source.expression if isinstance(source, Scope) else source
    return of.named_selects if isinstance(of, exp.Query) else getattr(of, "alias_column_names", ())


def _unresolved(statement: exp.Query, error: str, sql: str, aliases: Collection[str]) -> str:
    """Say that a column cannot be resolved, with the reason that is likely."""
    found = re.search(
        r"olumn '\"?(?P<name>[^'\"]+)\"?'(?: could not be resolved for table: '(?P<table>[^']+)')?", error
    )
    if not found:
        return f"This is not valid Athena SQL: {error.splitlines()[0]}"
    name, table = found["name"], found["table"]
    tables = {
        cte.alias.removeprefix("__"): set(cte.this.named_selects)
        for cte in statement.find_all(exp.CTE)
        if cte.alias.startswith("__")
    }
    owners = sorted(one for one, columns in tables.items() if name in columns)
    start = f"Column '{table}.{name}' cannot be resolved" if table else f"Column '{name}' cannot be resolved"
    if table and name in {column for columns in tables.values() for column in columns}:
        return f"{start}: FROM names no {table}."
    if len(owners) > 1:
        return (
            f"{start}: {' and '.join(owners)} have it. Write the table before it, such as {owners[0]}.{name}."
        )
    if name.lower() in aliases:
        return _only_in_order_by(name)
    if quoted := re.search(f'"({re.escape(name)})"', sql, re.IGNORECASE):
        return f"{start}. Text stands in single quotes: '{quoted[1]}'; double quotes are for names."
    close = difflib.get_close_matches(
        name.lower(), sorted({one for columns in tables.values() for one in columns}), 1
    )
    return f"{start}.{f' Did you mean {close[0]}?' if close else ''}"


def _only_in_order_by(name: str) -> str:
    return (
        f"Column '{name}' cannot be resolved: Athena knows the names of the SELECT list in ORDER BY only. Repeat the"
        " expression, or in GROUP BY write its number."
    )


type _Annotator = Callable[[Any, Any], Any]


def _decimal(digits_after: int) -> exp.DataType:
    return exp.DataType.build(f"DECIMAL({MOST_DIGITS}, {digits_after})")


def _literal(annotator: Any, node: exp.Literal) -> exp.Literal:
    text = node.name.lower()
    if node.is_string:
        found: Any = exp.DType.VARCHAR
    elif "e" in text:
        found = exp.DType.DOUBLE
    elif "." in text:
        found = _decimal(len(text.split(".")[1]))
    else:
        found = exp.DType.INT if int(text) < 2**31 else exp.DType.BIGINT
    annotator._set_type(node, found)  # noqa: SLF001 (sqlglot's own annotators do the same)
    return node


def _arithmetic(annotator: Any, node: exp.Binary) -> exp.Binary:
    left, right = node.left, node.right
    kinds = {kind(left), kind(right)}
    found: Any = exp.DType.UNKNOWN
    if None in kinds:
        found = exp.DType.UNKNOWN
    elif "interval" in kinds:
        found = left.type if kind(left) in TIMES else right.type
    elif not kinds <= NUMBERS:
        found = exp.DType.UNKNOWN
    elif "double" in kinds:
        found = exp.DType.DOUBLE
    elif "decimal" in kinds:
        digits = scale(left), scale(right)
        found = _decimal(sum(digits) if isinstance(node, exp.Mul) else max(digits))
    else:
        types = {left.type.this, right.type.this} if left.type and right.type else set()
        found = exp.DType.BIGINT if exp.DType.BIGINT in types else exp.DType.INT
    annotator._set_type(node, found)  # noqa: SLF001
    return node


def _sum(annotator: Any, node: exp.Sum) -> exp.Sum:
    of = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    found: Any = {"integer": exp.DType.BIGINT, "decimal": _decimal(scale(of))}.get(kind(of) or "", of.type)
    annotator._set_type(node, found)  # noqa: SLF001
    return node


def _avg(annotator: Any, node: exp.Avg) -> exp.Avg:
    of = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    annotator._set_type(node, _decimal(scale(of)) if kind(of) == "decimal" else exp.DType.DOUBLE)  # noqa: SLF001
    return node


def _as_argument(annotator: Any, node: exp.Expr) -> exp.Expr:
    annotator._set_type(node, node.this.type)  # noqa: SLF001
    return node


def _returns(found: exp.DType) -> dict[str, Any]:
    return {"returns": found}


_ANNOTATORS: Final[dict[_Annotator, tuple[type[exp.Expr], ...]]] = {
    _literal: (exp.Literal,),
    _arithmetic: (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod),
    _sum: (exp.Sum,),
    _avg: (exp.Avg,),
    _as_argument: (
        *(exp.ArgMax, exp.ArgMin, exp.AnyValue, exp.DateAdd, exp.DateSub, exp.DateTrunc, exp.TimestampTrunc),
        *(
            exp.Lag,
            exp.Lead,
            exp.FirstValue,
            exp.LastValue,
            exp.NthValue,
            exp.ApproxQuantile,
            exp.Neg,
            exp.Abs,
        ),
        *(exp.Ceil, exp.Floor, exp.Trunc),
    ),
}
_METADATA: Final[Any] = {
    **Trino.EXPRESSION_METADATA,
    **{kind_: {"annotator": one} for one, kinds in _ANNOTATORS.items() for kind_ in kinds},
    **{
        one: _returns(exp.DType.BIGINT)
        for one in (
            *(
                exp.Count,
                exp.CountIf,
                exp.ApproxDistinct,
                exp.DateDiff,
                exp.RowNumber,
                exp.Rank,
                exp.DenseRank,
            ),
            *(exp.Ntile, exp.ArraySize, exp.Extract, exp.Year, exp.Month, exp.Day, exp.Week, exp.WeekOfYear),
            *(exp.Quarter, exp.DayOfWeekIso, exp.DayOfYear, exp.DayOfMonth, exp.Hour, exp.Minute, exp.Second),
        )
    },
    **{
        one: _returns(exp.DType.TIMESTAMPTZ)
        for one in (exp.CurrentTimestamp, exp.UnixToTime, exp.AtTimeZone, exp.FromISO8601Timestamp)
    },
    exp.TimeToUnix: _returns(exp.DType.DOUBLE),
    exp.Interval: _returns(exp.DType.INTERVAL),
}
