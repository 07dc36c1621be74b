"""What the docs name must exist: commands, files, parameters, outputs, metrics, tables."""

import re
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import typer
import yaml

from cli import app as program
from cli import checkup, schedule
from queries import queries, views
from spotify_lake import errors
from spotify_lake.schema.playlists import TABLES
from spotify_lake.schema.types import PARTITION
from spotify_lake.schema.warehouse import CHARTS, WAREHOUSE
from tests.support import commands

ROOT = Path(__file__).parents[2]
DOCS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
# Files with sentences that name commands.
SOURCES = [
    ROOT / name
    for name in subprocess.run(
        [  # noqa: S607
            "git",
            "grep",
            "-lE",
            r"`(\./lake|make) ",
            "--",
            "*.py",
            "*.js",
            "*.yaml",
            "*.yml",
            "*.sql",
            "*.sh",
            "*.json",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    if not name.startswith("tests/")
]
README = (ROOT / "README.md").read_text()
CODE = "\n".join(
    path.read_text()
    for folder in ("layers/common/spotify_lake", "functions")
    for path in (ROOT / folder).rglob("*.py")
)


class Template(yaml.CSafeLoader):
    """Reads CloudFormation's short tags as plain values."""


Template.add_multi_constructor("!", lambda loader, _suffix, node: getattr(node, "value", None))
TEMPLATE = yaml.load((ROOT / "template.yaml").read_text(), Template)  # noqa: S506 (a SafeLoader)

STACKS = [
    yaml.load(path.read_text(), Template)  # noqa: S506 (a SafeLoader)
    for path in (ROOT / "stacks").glob("*.yaml")
]

NAMES = {
    *(
        name
        for stack in STACKS
        for part in ("Parameters", "Resources", "Outputs")
        for name in stack.get(part, ())
    ),
    *TEMPLATE["Parameters"],
    *TEMPLATE["Resources"],
    *TEMPLATE["Outputs"],
    *re.findall(r'(?:add_metric|count)\(\s*(?:name=)?"(\w+)"', CODE),
    *(name for name, value in vars(errors).items() if isinstance(value, type)),
}


def code_spans(text: str) -> list[str]:
    without_blocks = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    return re.findall(r"`([^`\n]+)`", without_blocks)


def named_commands(path: Path) -> Iterator[str]:
    """Yield the calls of `./lake` and `make` in a file: in code spans, and in a page's code blocks."""
    text = path.read_text()
    if path.name == "CHANGELOG.md":  # older sections name what was there at the time
        text = "\n## ".join(text.split("\n## ")[:2])
    if path.suffix == ".md":
        for block in re.findall(r"```(?:sh|bash|console|text|shell)?\n(.*?)```", text, flags=re.DOTALL):
            yield from re.findall(
                r"^\s*(?:\$ )?(?:[A-Z_]+=\S+ )*((?:\./lake|make) .+)$",
                block.replace("\\\n", ""),
                re.MULTILINE,
            )
        text = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    for span in re.findall(r"`([^`]+)`", text) if path.suffix == ".md" else re.findall(r"`([^`\n]+)`", text):
        call = re.sub(r"\s+", " ", span)
        if re.match(r"(?:[A-Z_]+=\S+ )*(?:\./lake|make) ", call):
            yield re.sub(r"^(?:[A-Z_]+=\S+ )*", "", call)


@pytest.mark.parametrize("path", [*DOCS, *SOURCES], ids=lambda path: str(path.relative_to(ROOT)))
def test_commands_and_make_targets_can_be_run_as_written(path: Path) -> None:
    for found in named_commands(path):
        call = re.split(r"\s+(?:#|\||&&|>|2>)", re.sub(r"\{[^{}]*\}", "9000", found))[0]
        if call.startswith("make"):
            named = {word for word in call.split()[1:] if re.fullmatch(r"[a-z][a-z0-9-]*", word)}
            assert named <= commands.targets(), f"no such target: {found}"
        elif len(call.split()) == 2 and "--" not in call:  # without the arguments that it may need
            assert call.split()[1] in {*program.names(), "COMMAND"}, f"no such command: {found}"
        elif call == "./lake COMMAND --help":
            continue
        else:
            try:
                commands.parse(call)
            except typer.TyperException as error:
                pytest.fail(f"{found}: {error}")


def test_variables_that_commands_read_are_documented() -> None:
    code = "".join(path.read_text() for path in (ROOT / "cli").rglob("*.py"))
    read = set(re.findall(r"(?:envvar=|environ\.get\()\"(SPOTIFY_\w+)\"", code))
    assert read == {"SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET"}
    text = (ROOT / "README.md").read_text()
    assert all(f"`{name}`" in text for name in read)


def test_messages_name_commands_that_parse() -> None:
    calls = [
        call
        for path in (ROOT / "cli").rglob("*.py")
        for call in re.findall(r"lake\.command\(f?[\"']([^\"']+)[\"']\)", path.read_text())
    ]
    assert len(calls) > 8
    for call in calls:
        commands.parse(f"./lake {call}")


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    for target in re.findall(r"\]\((?!https?:)([^)#]+)(?:#[^)]*)?\)", path.read_text()):
        assert (path.parent / target).exists(), f"broken link to {target}"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_exist(path: Path) -> None:
    top = {found.name for found in ROOT.iterdir()}
    for span in code_spans(path.read_text()):
        name = span.split()[0].rstrip("/")
        if re.fullmatch(r"[\w./-]+", name) and name.split("/")[0] in top:
            assert (ROOT / name).exists(), f"{name} does not exist"


@pytest.mark.parametrize("path", DOCS, ids=lambda path: str(path.relative_to(ROOT)))
def test_names_in_camel_case_are_resources_parameters_outputs_metrics_or_errors(path: Path) -> None:
    for span in code_spans(path.read_text()):
        if re.fullmatch(r"(?:[A-Z][a-z]+){2,}(?:MB|Url|Arn)?", span):
            assert span in NAMES, f"nothing is called {span}"


def test_the_settings_page_lists_every_parameter_with_its_default() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    rows = dict(re.findall(r"^\| `(\w+)` \| `([^`]*)` \|", page, flags=re.MULTILINE))
    defaults = {name: str(parameter["Default"]) for name, parameter in TEMPLATE["Parameters"].items()}
    assert rows == {name: default or "(empty)" for name, default in defaults.items()}


def test_schedules_in_the_docs_and_the_template_are_ones_that_aws_accepts() -> None:
    now, found = datetime(2026, 11, 27, tzinfo=UTC), set()
    for path in [*DOCS, ROOT / "template.yaml", *(ROOT / "stacks").glob("*.yaml")]:
        if path.name != "CHANGELOG.md":  # it names mistakes, too
            found |= set(re.findall(r"(?:cron|rate)\(\d[^()]*\)", path.read_text()))
    assert len(found) > 4
    for expression in found:
        schedule.check(expression, now)


def test_the_docs_explain_every_check_of_the_doctor() -> None:
    page = (ROOT / "docs" / "first-deployment.md").read_text()
    explained = re.findall(
        r"^\| ([A-Z][\w -]+) \|", page.partition("## What each check")[2].partition("\n## ")[0], re.MULTILINE
    )
    assert set(explained) == {"Credentials", "Region", "Stack", "Lambda quota", *checkup.OF_A_LAKE}


def test_the_docs_show_how_to_invoke_every_sample_event() -> None:
    page = (ROOT / "docs" / "sample-events.md").read_text()
    for event in (ROOT / "events").glob("*.json"):
        assert f"events/{event.name}" in page, f"{event.name} is not in docs/sample-events.md"


def test_queries_in_the_docs_name_real_tables_and_columns() -> None:
    columns = {column for table in TABLES for column in table.column_names} | {PARTITION.name}
    columns |= {column for view in views().values() for column in view.columns}
    tables = {table.name for table in TABLES} | set(views())
    columns |= {column for one in WAREHOUSE for column in one.table.column_names}
    tables |= {f"charts.{one.table.name}" for one in CHARTS}
    for path in DOCS:
        for query in re.findall(r"```sql\n(.*?)```", path.read_text(), flags=re.DOTALL):
            assert set(re.findall(r"\b(?:from|join) ((?:charts\.)?\w+)\b(?!\()", query)) <= tables, query
            for column in re.findall(r"\b(?!charts\.)\w+\.(\w+)\b", query):
                assert column in columns, f"{column} in {query}"


def test_every_decision_has_its_parts() -> None:
    for path in (ROOT / "docs" / "decisions").glob("*.md"):
        text = path.read_text()
        for part in ("**Status:**", "**Decision.**", "**Consequences.**"):
            assert part in text, f"{path.name} lacks {part}"


def test_the_readme_counts_the_questions() -> None:
    assert f"lists {len(queries())} questions" in README


def test_the_dictionary_describes_every_view_and_column() -> None:
    dictionary = (ROOT / "docs" / "data-dictionary.md").read_text()
    for view in views().values():
        section = dictionary.partition(f"## {view.name}\n")[2].partition("\n## ")[0]
        for column in view.columns:
            assert f"| `{column}` |" in section, f"{view.name}.{column}"


def test_the_readme_is_short_enough_to_read() -> None:
    assert len(README.splitlines()) <= 220
