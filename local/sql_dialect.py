"""Athena's SQL on the laptop.

The emulator runs queries on DuckDB and has no views, so each query is translated before it is sent. DuckDB could also
read and write files of this machine. A query may therefore read only what Athena knows: tables and views of the
catalog, common table expressions, subqueries, UNNEST and VALUES. The engine itself has no access to other files
either (`local.front`). SQL that Athena would refuse is refused here (`local.trino.rules`); docs/laptop-athena.md lists
the differences that remain.
"""

from __future__ import annotations

import datetime as dt
import difflib
import re
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any, Final, NoReturn

import sqlglot
from sqlglot import exp

from local.errors import LaptopError
from local.front import TRANSLATED
from local.trino.rewrite import rewrite
from local.trino.rules import check_syntax, check_types
from local.trino.types import annotate
from queries import Statement
from queries import views as all_views
from spotify_lake.athena import Athena, explain

CATALOG: Final = "awsdatacatalog"
_UNNAMED: Final = "__unnamed_"

type Schema = Mapping[str, Mapping[str, str]]

# What may stand in FROM and JOIN; tables are looked up in the catalog.
_SOURCES = (exp.Table, exp.Subquery, exp.Unnest, exp.Values, exp.Lateral)
# DuckDB opens a file for a table that it does not know, but not for one with such a name.
_CTE_NAME = re.compile(r"[\w -]+")


def on_laptop(client: Callable[[Any], Any], workgroup: str, database: str) -> Athena:
    """Return a client of the emulator's Athena that accepts the same SQL as Athena on AWS.

    Parameters
    ----------
    client
        Makes a boto3 client of the emulator from the name of a service.
    workgroup, database
        As for `Athena`.
    """

    def translate(sql: str) -> str:
        pages = client("glue").get_paginator("get_tables").paginate(DatabaseName=database)
        schema = declared(table for page in pages for table in page["TableList"])
        translated = to_duckdb(sql, schema, all_views(), database=database)
        return sql if translated == sql else TRANSLATED + translated

    return Athena(client("athena"), workgroup, database, translate=translate)


def declared(tables: Iterable[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Return the columns and Athena types of each table in the Glue Data Catalog, partition keys last."""
    return {
        table["Name"]: {
            column["Name"]: column["Type"]
            for column in (*table["StorageDescriptor"]["Columns"], *table.get("PartitionKeys", []))
        }
        for table in tables
    }


def to_duckdb(
    sql: str,
    schema: Schema,
    views: Mapping[str, Statement] | None = None,
    today: dt.date | None = None,
    *,
    database: str = "spotify_lake",
) -> str:
    """Translate one statement from Athena's SQL to DuckDB's.

    Each table and view in the statement becomes a common table expression. For a table, it selects the declared
    columns with their declared types, as Athena does; DuckDB alone would take both from the Parquet files. For a
    view, it is the view's definition.

    Parameters
    ----------
    sql
        A query, or a statement that creates an external table; the emulator runs the latter unchanged.
    schema
        The tables of the database: their columns with the types of the Glue Data Catalog.
    views
        The views by name.
    today
        The day that replaces `current_date`, for data of fixed days; by default `current_date` stays.
    database
        The name that a table may have in front.

    Raises
    ------
    LaptopError
        `sql` is not exactly one statement, reads from anything but existing tables and views, or would fail on Athena.
    """
    statement = _parse(sql)
    if isinstance(statement, exp.Create):
        _refuse_other_tables(statement)
        return sql
    if not isinstance(statement, exp.Query) or statement.find(exp.Into):
        raise LaptopError("The laptop stack runs queries only: statements that start with SELECT or WITH.")
    _refuse_other_sources(statement)
    check_syntax(sql, statement)
    headings = _headings(statement)
    aliases = {alias.alias.lower() for alias in statement.find_all(exp.Alias)}
    definitions = _Definitions(schema, views or {}, database)
    definitions.resolve(statement)
    definitions.add_to(statement)
    statement = annotate(statement, schema, sql, aliases)
    check_types(statement)
    _restore(statement, headings)
    rewrite(statement)
    for unnest in list(statement.find_all(exp.Unnest)):
        _split(unnest)
    if today is not None:
        for current_date in list(statement.find_all(exp.CurrentDate)):
            current_date.replace(exp.cast(exp.Literal.string(today.isoformat()), "date"))
    return statement.sql(dialect="duckdb", comments=False)


def _headings(statement: exp.Query) -> dict[str, str]:
    """Return the names of the result's columns as written, by their names in small letters; give each a name."""
    found = {}
    for number, select in enumerate(_first(statement).expressions):
        if not isinstance(select, (exp.Alias, exp.Column, exp.Star)):
            select.replace(exp.alias_(select.copy(), f"{_UNNAMED}{number}"))
        found[select.alias_or_name.lower()] = select.alias_or_name
    return found


def _restore(statement: exp.Query, headings: Mapping[str, str]) -> None:
    """Name the columns of the result as written, and those without a name as Athena does."""
    for number, select in enumerate(_first(statement).expressions):
        name = f"_col{number}" if select.alias.startswith(_UNNAMED) else headings.get(select.alias)
        if isinstance(select, exp.Alias) and name:
            select.set("alias", exp.to_identifier(name, quoted=True))


def _first(statement: exp.Query) -> exp.Select:
    """Return the SELECT that names the columns of a query."""
    first: exp.Expr = statement
    while isinstance(first, (exp.SetOperation, exp.Subquery)):
        first = first.this
    if not isinstance(first, exp.Select):
        raise LaptopError("The laptop stack runs queries only: statements that start with SELECT or WITH.")
    return first


def _parse(sql: str) -> exp.Expr:
    try:
        statements = [statement for statement in sqlglot.parse(sql, read="athena") if statement is not None]
    except sqlglot.errors.SqlglotError as error:
        quote = " A quote inside a text is written twice: 'Don''t'." if sql.count("'") % 2 else ""
        quote = quote or " Names stand in double quotes, not in `…`." * ("`" in sql)
        raise LaptopError(f"This is not valid Athena SQL: {explain(str(error))}{quote}") from error
    if len(statements) != 1:
        raise LaptopError("Athena runs one statement at a time.")
    for subscript in statements[0].find_all(exp.Bracket):
        # The parser counts positions from 0 where it knows them to be integers, and leaves others: those of columns.
        if any(
            index.type is not None and index.type.this == exp.DType.UNKNOWN for index in subscript.expressions
        ):
            subscript.set("offset", 1)
    return statements[0]


def _refuse_other_tables(statement: exp.Create) -> None:
    """Raise unless the statement only declares a table of objects in S3."""
    location = statement.find(exp.LocationProperty)
    if (
        statement.kind != "TABLE"
        or statement.expression
        or not statement.find(exp.ExternalProperty)
        or location is None
        or not location.name.startswith("s3://")
    ):
        raise LaptopError(
            "The laptop stack creates external tables only: CREATE EXTERNAL TABLE … LOCATION 's3://…'."
        )


def _refuse_other_sources(query: exp.Query) -> None:
    """Raise if a query reads from a table function, such as read_csv, or from something else that is no table."""
    for clause in query.find_all(exp.From, exp.Join, exp.Lateral):
        source = clause.this
        allowed = (exp.Subquery, exp.Unnest) if isinstance(clause, exp.Lateral) else _SOURCES
        if not isinstance(source, allowed):
            _refuse_source(source)
    for table in query.find_all(exp.Table):
        if not isinstance(table.this, exp.Identifier):
            _refuse_source(table.this)
    for cte in query.find_all(exp.CTE):
        if not _CTE_NAME.fullmatch(cte.alias):
            raise LaptopError(f"The name {cte.alias!r} may have letters, digits, spaces, - and _ only.")


def _refuse_source(source: object) -> NoReturn:
    text = source.sql(dialect="athena") if isinstance(source, exp.Expr) else str(source)
    raise LaptopError(
        f"The laptop stack cannot read from {text}: a query reads tables, views, subqueries, UNNEST and VALUES."
    )


class _Definitions:
    """The tables and views that a statement reads, as common table expressions under other names.

    Parameters
    ----------
    schema, views, database
        As for `to_duckdb`.
    """

    def __init__(self, schema: Schema, views: Mapping[str, Statement], database: str) -> None:
        self._schema = schema
        self._views = views
        self._database = database
        self._queries: dict[str, exp.Query] = {}

    def resolve(self, query: exp.Query) -> None:
        """Make a query read from definitions instead of tables and views, and add the definitions it needs."""
        own = {cte.alias.lower() for cte in query.find_all(exp.CTE)}
        for table in list(query.find_all(exp.Table)):
            name = table.name.lower()
            if name in own and not table.db:
                continue
            self._check_place(table)
            if name not in self._queries:
                self._queries[name] = self._define(table.name, name)
            reference = exp.table_(_definition(name), alias=table.alias or name)
            if joins := table.args.get("joins"):
                reference.set("joins", joins)
            table.replace(reference)
        for column in query.find_all(exp.Column):
            column.set("db", None)  # spotify_lake.songs.name: the table is known as songs here
            column.set("catalog", None)

    def add_to(self, query: exp.Query) -> None:
        """Insert the definitions before the query's own common table expressions, each after those it needs."""
        ctes = [
            exp.CTE(
                this=definition,
                alias=exp.TableAlias(this=exp.to_identifier(_definition(name))),
                # Each reference to a table reads the columns that it needs.
                materialized=False if name in self._schema else None,
            )
            for name, definition in self._queries.items()
        ]
        if own := query.args.get("with_"):
            own.set("expressions", [*ctes, *own.expressions])
        elif ctes:
            query.set("with_", exp.With(expressions=ctes))

    def _check_place(self, table: exp.Table) -> None:
        if table.db.lower() not in {"", self._database.lower()} or table.catalog.lower() not in {"", CATALOG}:
            raise LaptopError(
                f"Table '{'.'.join(part.name for part in table.parts)}' does not exist: the tables are in the database"
                f" {self._database}, which may be left out."
            )

    def _define(self, written: str, name: str) -> exp.Query:
        if name in self._schema:
            columns = [
                exp.cast(exp.column(column, quoted=True), athena_type, dialect="hive").as_(
                    column, quoted=True
                )
                for column, athena_type in self._schema[name].items()
            ]
            return exp.select(*columns).from_(exp.table_(name))
        if name not in self._views:
            raise LaptopError(no_such_table(written, self._schema, self._views))
        definition = _parse(self._views[name].sql)
        if not isinstance(definition, exp.Query):
            raise LaptopError(f"The view {name} is not a query.")
        self.resolve(definition)
        return definition


def _definition(name: str) -> str:
    return f"__{name}"


def _split(unnest: exp.Unnest) -> None:
    """Rewrite UNNEST of several arrays, which DuckDB supports only in the columns of a SELECT."""
    alias = unnest.args.get("alias")
    if len(unnest.expressions) < 2 or alias is None or unnest.args.get("offset"):
        return
    columns = [
        exp.alias_(exp.Explode(this=array), name.name)
        for array, name in zip(unnest.expressions, alias.columns, strict=True)
    ]
    side_by_side = exp.Lateral(
        this=exp.select(*columns).subquery(), alias=exp.TableAlias(this=alias.this.copy())
    )
    unnest.replace(side_by_side)


def no_such_table(name: str, tables: Collection[str], views: Collection[str] = ()) -> str:
    """Return the message that no table or view is called `name`, with the names that exist."""
    known = ", ".join(sorted(tables))
    others = ", ".join(sorted(views))
    close = difflib.get_close_matches(name.lower(), [*tables, *views], n=1)
    start = f"There is no table {name}.{f' Did you mean {close[0]}?' if close else ''}"
    return f"{start} The tables are {known}{f'; the views {others}' if others else ''}."
