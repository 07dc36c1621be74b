"""What Athena refuses although DuckDB, or the parser, accepts it: syntax, functions, and types that do not fit."""

from __future__ import annotations

import difflib
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from sqlglot import exp
from sqlglot.dialects.trino import Trino
from sqlglot.tokenizer_core import Token, TokenType

from local.errors import LaptopError
from local.trino.functions import KEYWORDS, TRANSLATED, TRINO
from local.trino.types import NUMBERS, TIMES, kind

LONGEST_EXCERPT: Final = 60
_UNKNOWN_TOKENS: Final = {
    TokenType.DCOLON: "Athena has no `::`. Write CAST(value AS type).",
    TokenType.L_BRACE: "Athena has no `{…}`. Write MAP(ARRAY[…], ARRAY[…]) or ROW(…).",
}
_BEFORE_BRACKET: Final = {
    TokenType.ARRAY,
    TokenType.IDENTIFIER,
    TokenType.R_BRACKET,
    TokenType.R_PAREN,
    TokenType.VAR,
}
# What people write who come from another database.
_IN_ATHENA: Final = {
    **dict.fromkeys(("ifnull", "isnull", "nvl"), "coalesce"),
    **dict.fromkeys(("string_agg", "group_concat"), "listagg"),
    **dict.fromkeys(("strftime", "to_char"), "date_format"),
    **dict.fromkeys(("strptime", "to_date", "to_timestamp"), "date_parse"),
    **dict.fromkeys(("instr", "charindex", "locate"), "strpos"),
    **dict.fromkeys(("getdate", "sysdate"), "now"),
    "datediff": "date_diff",
    "dateadd": "date_add",
    "len": "length",
    "list": "array_agg",
    "median": "approx_percentile",
    "quantile_cont": "approx_percentile",
}
_HOURS: Final = {"HOUR", "MINUTE", "SECOND", "MILLISECOND"}


def check_syntax(sql: str, statement: exp.Expr) -> None:
    """Refuse syntax and functions that Athena does not have.

    Parameters
    ----------
    sql
        A query as written.
    statement
        The same, parsed.

    Raises
    ------
    LaptopError
        Athena would refuse the query, or the laptop cannot run it.
    """
    tokens = Trino().tokenize(sql)
    _check_tokens(tokens)
    for node in statement.walk():
        for kinds, reason in _REFUSED:
            if isinstance(node, kinds):
                raise LaptopError(reason)
        if odd := _odd_node(node):
            raise LaptopError(odd)
    aliases = {alias.name.lower() for alias in statement.find_all(exp.TableAlias) if alias.name}
    for before, token, after in zip([None, *tokens], tokens, tokens[1:], strict=False):
        if after.token_type is TokenType.L_PAREN and not (before and before.text.lower() == "as"):
            _check_function(token.text.lower(), aliases)


def _check_tokens(tokens: Sequence[Token]) -> None:
    if tokens[0].token_type is TokenType.FROM:
        raise LaptopError("Athena has no query without SELECT: write SELECT * FROM ….")
    for token in tokens:
        if token.token_type in _UNKNOWN_TOKENS:
            raise LaptopError(_UNKNOWN_TOKENS[token.token_type])
        if token.text == "==" and token.token_type is TokenType.EQ:
            raise LaptopError("Athena compares with a single `=`.")
    for before, token in itertools.pairwise(tokens):
        kinds = before.token_type, token.token_type
        if kinds == (TokenType.INTERVAL, TokenType.NUMBER):
            raise LaptopError(
                f"Athena wants the number of an interval in quotes: INTERVAL '{token.text}' DAY."
            )
        if kinds == (TokenType.COMMA, TokenType.FROM):
            raise LaptopError("There is a comma too many before FROM.")
        if kinds[1] is TokenType.L_BRACKET and kinds[0] not in _BEFORE_BRACKET:
            raise LaptopError("Athena writes a list as ARRAY[…].")
    three = zip(*([token.token_type for token in tokens[start:]] for start in range(3)), strict=False)
    if (TokenType.LIMIT, TokenType.NUMBER, TokenType.OFFSET) in three:
        raise LaptopError("Athena wants OFFSET before LIMIT.")


def _check_function(name: str, aliases: Iterable[str]) -> None:
    if not re.fullmatch(r"[a-z_]\w*", name) or name in TRANSLATED or name in KEYWORDS or name in aliases:
        return
    if name in TRINO:
        raise LaptopError(
            f"Athena has the function {name}, but the laptop cannot run it (docs/laptop-athena.md)."
        )
    close = _IN_ATHENA.get(name) or next(iter(difflib.get_close_matches(name, sorted(TRINO), 1, 0.75)), None)
    raise LaptopError(f"Athena has no function {name}.{f' Did you mean {close}?' if close else ''}")


_REFUSED: Final[tuple[tuple[type[exp.Expr] | tuple[type[exp.Expr], ...], str], ...]] = (
    (exp.ILike, "Athena has no ILIKE. Write lower(value) LIKE 'text'."),
    (exp.Qualify, "Athena has no QUALIFY. Filter the window function in a query around this one."),
    (exp.Columns, "Athena has no COLUMNS(…). Name the columns."),
    (exp.Slice, "Athena has no slices such as x[1:2]."),
    (exp.TableSample, "The laptop has no TABLESAMPLE."),
    (exp.CurrentTime, "The laptop has no current_time. Write current_timestamp."),
    (exp.MatchRecognize, "The laptop has no MATCH_RECOGNIZE."),
    (exp.Pivot, "Athena has no PIVOT. Write count_if(…) or sum(…) FILTER (WHERE …) for each column."),
)


def _odd_node(node: exp.Expr) -> str | None:
    if isinstance(node, exp.Star) and (node.args.get("except_") or node.args.get("replace")):
        return "Athena's * takes neither EXCEPT nor REPLACE. Name the columns."
    if isinstance(node, exp.Distinct) and node.args.get("on"):
        return "Athena has no DISTINCT ON. Number the rows with row_number() and keep the first."
    if isinstance(node, exp.Group) and node.args.get("all"):
        return "Athena has no GROUP BY ALL. Name the columns or their numbers."
    if isinstance(node, exp.Join) and (node.kind in {"SEMI", "ANTI", "ASOF"} or node.method == "ASOF"):
        return f"Athena has no {node.kind or node.method} JOIN. Write WHERE EXISTS (…) or NOT EXISTS (…)."
    return None


def check_types(statement: exp.Expr) -> None:
    """Refuse operators and functions whose arguments have types that Athena does not take.

    Parameters
    ----------
    statement
        A query whose expressions have their types.

    Raises
    ------
    LaptopError
        Athena would refuse the query.
    """
    for node in statement.walk():
        for kinds, check in _CHECKS:
            if isinstance(node, kinds):
                check(node)


def excerpt(node: exp.Expr) -> str:
    """Return an expression as SQL, shortened."""
    text = re.sub(
        r"CAST\(('[^']*') AS (DATE|TIMESTAMP)(?:\(\d\))?\)", r"\2 \1", node.sql(Trino, comments=False)
    )
    return text if len(text) <= LONGEST_EXCERPT else f"{text[: LONGEST_EXCERPT - 1]}…"


def _fits(left: str | None, right: str | None) -> bool:
    groups: tuple[set[str], ...] = (NUMBERS, TIMES)
    return None in (left, right) or left == right or any({left, right} <= group for group in groups)


def _same(node: exp.Expr, *values: exp.Expr | None) -> None:
    known = [value for value in values if value is not None and kind(value) is not None]
    for value in known[1:]:
        if not _fits(kind(known[0]), kind(value)):
            raise LaptopError(_mismatch(node, known[0], value))
    if any(isinstance(value.unnest(), exp.AtTimeZone) for value in known):
        raise LaptopError(
            f"The laptop cannot compare a time in another time zone: {excerpt(node)}. Compare before AT TIME ZONE."
        )


def _mismatch(node: exp.Expr, left: exp.Expr, right: exp.Expr) -> str:
    kinds = {kind(left): left, kind(right): right}
    text = kinds.get("varchar")
    other = next((one for one in kinds if one != "varchar"), None)
    advice = ""
    if text is not None and other in TIMES:
        literal = text.sql(Trino) if text.is_string else None
        advice = (
            f" Write {str(other).upper()} {literal}."
            if literal
            else f" Write CAST({excerpt(text)} AS {other})."
        )
    elif text is not None and text.is_string and other in NUMBERS:
        advice = " Write the number without quotes."
    elif text is not None:
        advice = f" Write CAST({excerpt(text)} AS {_name(other)})."
    return (
        f"Athena cannot compare or mix {_name(kind(left))} and {_name(kind(right))}: {excerpt(node)}.{advice}"
    )


def _name(of: str | None) -> str:
    return of or "null"


def _check_comparison(node: Any) -> None:
    _same(node, node.this, node.expression)


def _check_between(node: Any) -> None:
    _same(node, node.this, node.args["low"], node.args["high"])


def _check_in(node: Any) -> None:
    query = node.args.get("query")
    _same(node, node.this, *(query.unnest().selects if query else node.expressions))


def _check_coalesce(node: Any) -> None:
    _same(node, node.this, *node.expressions)


def _check_case(node: Any) -> None:
    if node.this is not None:
        _same(node, node.this, *(branch.this for branch in node.args["ifs"]))
    _same(node, *(branch.args["true"] for branch in node.args["ifs"]), node.args.get("default"))


def _check_if(node: Any) -> None:
    if not isinstance(node.parent, exp.Case):
        _wants("boolean", node.this, "IF")
        _same(node, node.args.get("true"), node.args.get("false"))
    elif node.parent.this is None:
        _wants("boolean", node.this, "WHEN")


def _check_union(node: Any) -> None:
    for left, right in zip(node.left.selects, node.right.selects, strict=False):
        if not _fits(kind(left), kind(right)):
            raise LaptopError(
                f"Athena cannot mix {_name(kind(left))} and {_name(kind(right))} in a column of a UNION:"
                f" {excerpt(left)} and {excerpt(right)}."
            )


def _check_arithmetic(node: Any) -> None:
    left, right = kind(node.left), kind(node.right)
    if None in (left, right) or {left, right} <= NUMBERS:
        return
    if {left, right} <= TIMES and isinstance(node, exp.Sub):
        raise LaptopError(
            f"On Athena {excerpt(node)} is an interval, which the laptop does not have. Write"
            f" date_diff('day', {excerpt(node.right)}, {excerpt(node.left)})."
        )
    if "interval" in (left, right) and {left, right} <= {*TIMES, "interval", "integer"}:
        unit = next(iter([*node.find_all(exp.Interval)][:1]), None)
        if "date" in (left, right) and unit is not None and str(unit.unit).upper().rstrip("S") in _HOURS:
            raise LaptopError(f"Athena adds hours to a timestamp only, not to a date: {excerpt(node)}.")
        return
    if {left, right} & TIMES:
        raise LaptopError(
            f"Athena does not calculate with {_name(left)} and {_name(right)}: {excerpt(node)}. Write + INTERVAL"
            " '1' DAY, date_add('day', 1, …) or date_diff('day', …, …)."
        )
    advice = " To join texts, write ||." if isinstance(node, exp.Add) and left == right == "varchar" else ""
    raise LaptopError(
        f"Athena does not calculate with {_name(left)} and {_name(right)}: {excerpt(node)}.{advice}"
    )


def _check_text(node: Any) -> None:
    parts = node.expressions if isinstance(node, exp.Concat) else [node.left, node.right]
    if any(kind(part) == "array" for part in parts):
        return
    for part in parts:
        _wants("varchar", part, "||" if isinstance(node, exp.DPipe) else "concat")


def _check_condition(node: Any) -> None:
    for value in (node.this, node.args.get("expression")):
        if isinstance(value, exp.Expr):
            _wants("boolean", value, node.key.upper())


def _check_on(node: Any) -> None:
    if node.args.get("on") is not None:
        _wants("boolean", node.args["on"], "ON")


def _check_text_function(node: Any) -> None:
    if kind(node.this) != "array":
        _wants("varchar", node.this, node.key)


def _check_number_function(node: Any) -> None:
    of = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
    if kind(of) is not None and kind(of) not in NUMBERS:
        raise LaptopError(f"Athena's {node.key} takes numbers, not {_name(kind(of))}: {excerpt(node)}.")


def _check_time_function(node: Any) -> None:
    values = [node.this]
    if isinstance(node, (exp.DateDiff, exp.Extract)):
        values = [
            value for value in (node.this, node.args.get("expression")) if not isinstance(value, exp.Var)
        ]
    for value in values:
        if kind(value) is not None and kind(value) not in TIMES:
            cast = f" Write DATE {value.sql(Trino)}." if value.is_string else ""
            raise LaptopError(
                f"Athena's function takes a date or a timestamp, not {_name(kind(value))}: {excerpt(node)}.{cast}"
            )
    unit = str(node.args.get("unit") or "").upper()
    if unit in _HOURS and any(kind(value) == "date" for value in values):
        raise LaptopError(f"Athena knows no {unit.lower()}s of a date, only of a timestamp: {excerpt(node)}.")


def _wants(wanted: str, node: exp.Expr, where: str) -> None:
    found = kind(node)
    if found is None or found == wanted:
        return
    advice = f" Write CAST({excerpt(node)} AS varchar)." if wanted == "varchar" else ""
    raise LaptopError(f"Athena's {where} takes {wanted}, not {_name(found)}: {excerpt(node)}.{advice}")


_CHECKS: Final[tuple[tuple[Any, Callable[[Any], None]], ...]] = (
    ((exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ), _check_comparison),
    (exp.Nullif, _check_comparison),
    (exp.Between, _check_between),
    (exp.In, _check_in),
    ((exp.Coalesce, exp.Greatest, exp.Least), _check_coalesce),
    (exp.Case, _check_case),
    (exp.If, _check_if),
    (exp.SetOperation, _check_union),
    ((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod), _check_arithmetic),
    ((exp.DPipe, exp.Concat), _check_text),
    ((exp.Where, exp.Having, exp.And, exp.Or, exp.Not), _check_condition),
    (exp.Join, _check_on),
    (
        (
            *(exp.Lower, exp.Upper, exp.Length, exp.Substring, exp.Trim, exp.RegexpLike, exp.RegexpExtract),
            *(exp.RegexpReplace, exp.Like, exp.StrPosition, exp.Split, exp.SplitPart, exp.Replace),
            exp.StartsWith,
        ),
        _check_text_function,
    ),
    ((exp.Sum, exp.Avg, exp.Stddev, exp.Variance, exp.Round, exp.Abs), _check_number_function),
    (
        (
            *(exp.Year, exp.Month, exp.Day, exp.WeekOfYear, exp.Quarter, exp.DayOfWeekIso, exp.DayOfYear),
            *(exp.Extract, exp.DateDiff, exp.DateAdd, exp.TimestampTrunc, exp.Hour, exp.Minute, exp.Second),
            *(exp.TimeToUnix, exp.TimeToStr, exp.AtTimeZone),
        ),
        _check_time_function,
    ),
)
