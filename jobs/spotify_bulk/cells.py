"""Converts the text of CSV cells to typed values with Spark expressions. Invalid text becomes null.

Functions whose names start with ``plain`` accept only the usual notation. They are small enough for the JVM to compile
together with the code around them, which makes a run several times faster. The others handle the few remaining cells.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from pyspark.sql import Column
from pyspark.sql import functions as F

# What exporters write for a missing number or date.
_MISSING: Final = ("nan", "null", "none", "na", "n/a", "<na>", "nat", "-", "\\n")
_LARGEST_EXACT: Final = 2.0**53
_GROUPED: Final = r"^\d{1,3}(,\d{3})+(\.0*)?$"
_COMMA: Final = r"^(-?\d+),(\d+)$"  # a decimal comma, as spreadsheets use it in many countries
_DAY_FORMATS: Final = (
    "yyyy-M-d", "yyyy/M/d", "yyyyMMdd", "d.M.yyyy", "MMM d, yyyy", "MMMM d, yyyy", "d MMM yyyy", "d MMMM yyyy",
    "yyyy-MMM-dd", "yyyy-MMMM-dd",
)  # fmt: skip
# Months as spreadsheets abbreviate them in several languages.
_MONTH: Final = (
    "(?:jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|mär|mrz|mai|okt|dez|janv|févr?|mars|avr|juin|juil|août|déc"
    r"|ene|abr|ago|dic|fev|set|out|gen|mag|giu|lug|ott|mrt|mei)\.?"
)
_LONGEST_DATE: Final = len("2021-11-01 00:00:00")
_DATES: Final = (
    rf"(?iu)^(?:\d{{1,2}}(?:-|/|\. ?| ){_MONTH}(?:[-/. ]\d{{2,4}})?|{_MONTH}[-/ ]\d{{2}}"
    r"|\d{1,2}[./]\d{1,2}[./]\d{4}|\d{4}-\d{2}-\d{2}(?: 00:00:00)?)$"
)


def text(cell: Column) -> Column:
    """Return the cell without surrounding blanks; null if that leaves nothing."""
    return F.nullif(F.trim(cell), F.lit(""))


def unquoted(line: Column) -> Column:
    """Return the content of a line that is one quoted cell; any other line unchanged, as sources.unquote_line()."""
    inner = F.substr(line, F.lit(2), F.length(line) - 2)
    is_cell = F.startswith(line, F.lit('"')) & F.endswith(line, F.lit('"')) & (F.length(line) > 1)
    is_cell &= ~F.contains(F.replace(inner, F.lit('""'), F.lit("")), F.lit('"'))
    return F.when(is_cell, F.replace(inner, F.lit('""'), F.lit('"'))).otherwise(line)


def looks_like_date(name: Column) -> Column:
    """Return whether a name is a date, as a spreadsheet makes of some: ``1-Nov``, ``Nov-99``, ``11. Jul``."""
    # Most names are longer, and comparing lengths is much faster.
    return (F.octet_length(name) <= _LONGEST_DATE) & name.rlike(_DATES)


def has_value(cell: Column) -> Column:
    """Return whether a cell for a number or date has a value, and not just a word such as ``n/a``."""
    value = text(cell)
    return value.isNotNull() & ~F.lower(value).isin(*_MISSING)


def plain_whole_number(cell: Column) -> Column:
    """Return the whole number in a cell as a bigint: ``12``, ``12.0``; null for anything else."""
    number = cell.try_cast("double")
    return F.when((F.rint(number) == number) & (F.abs(number) <= _LARGEST_EXACT), number.cast("bigint"))


def whole_number(cell: Column) -> Column:
    """Return the whole number in a cell as a bigint: ``12``, ``12.0``, ``1,234``; null for anything else."""
    value = F.trim(cell)
    return plain_whole_number(
        F.when(value.rlike(_GROUPED), F.replace(value, F.lit(","), F.lit(""))).otherwise(value)
    )


def decimal(cell: Column) -> Column:
    """Return the number in a cell as a double; null for infinity, NaN and anything else."""
    number = F.regexp_replace(F.trim(cell), _COMMA, "$1.$2").try_cast("double")
    return F.when(~F.isnan(number) & (F.abs(number) != float("inf")), number)


def boolean(cell: Column) -> Column:
    """Return the boolean in a cell: ``true``, ``False``, ``1``, ``0.0``; null for anything else."""
    value = F.lower(F.trim(cell))
    return F.when(value.isin("true", "1", "1.0", "yes", "t"), True).when(
        value.isin("false", "0", "0.0", "no", "f"), False
    )


def plain_date(cell: Column) -> Column:
    """Return the date in a cell that starts like 2017-01-31; null for anything else."""
    dashed = (F.substring(cell, 5, 1) == "-") & (F.substring(cell, 8, 1) == "-")
    dashed &= F.substring(cell, 11, 1).isin("", " ", "T")
    return F.when(dashed, F.substring(cell, 1, 10).try_cast("date"))


def any_date(cell: Column, day_first: Column) -> Column:
    """Return the date in a cell.

    Parameters
    ----------
    cell
        An ISO date with or without a time, or one of the other usual forms. Of a week written as
        ``2020-01-03--2020-01-10``, the last day is returned.
    day_first
        Whether ``3/4/2017`` is the third of April. If null, ambiguous dates become null.
    """
    value = F.substring_index(F.trim(cell), "--", -1)
    first, second = (F.split_part(value, F.lit("/"), F.lit(number)).try_cast("int") for number in (1, 2))
    by_day, by_month = (_formatted(value, form) for form in ("d/M/yyyy", "M/d/yyyy"))
    slashes = (
        F.when(first > 12, by_day)
        .when(second > 12, by_month)
        .when(day_first, by_day)
        .when(~day_first, by_month)
    )
    others = (_formatted(value, form) for form in _DAY_FORMATS)
    return F.coalesce(plain_date(value), F.when(F.contains(value, F.lit("/")), slashes), *others)


def _formatted(value: Column, form: str) -> Column:
    return F.try_to_timestamp(value, F.lit(form)).cast("date")


def string_list(cell: Column) -> Column:
    """Return the items of a list in Python notation: ``['pop', "children's music"]``.

    An empty list becomes an empty array; any other text becomes an array with that one item.
    """
    value = F.trim(cell)
    quoted = F.regexp_extract_all(value, F.lit(r"""'((?:[^'\\]|\\.)*)'|"((?:[^"\\]|\\.)*)\""""), F.lit(0))
    bare = F.transform(
        quoted, lambda item: F.regexp_replace(F.substr(item, F.lit(2), F.length(item) - 2), r"\\(.)", "$1")
    )
    return (
        F.when(value.isNull() | (value == ""), None)
        .when(F.startswith(value, F.lit("[")) & F.endswith(value, F.lit("]")), bare)
        .otherwise(F.array(value))
    )


def first_invalid(invalid: Mapping[str, Column], cell: Callable[[str], Column]) -> tuple[Column, Column]:
    """Return the name of the first invalid column and the text of its cell; null if all are valid."""
    reason: Any = F
    detail: Any = F
    for name, condition in invalid.items():
        reason = reason.when(condition, name)
        detail = detail.when(condition, F.coalesce(text(cell(name)), F.lit("missing")))
    return reason, detail
