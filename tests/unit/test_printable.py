"""One hostile name through everything that is printed, logged, mailed or thrown: nothing in it is obeyed."""

import io
import json
import logging
import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from cli.app import _report
from cli.commands import logs
from cli.terminal import SafeConsole, Terminal
from local.display import Steps
from queries.display import show_result
from spotify_bulk.errors import NothingToRead
from spotify_lake import errors
from spotify_lake.athena import Column, QueryResult
from spotify_lake.changes.compare import compare, detail
from spotify_lake.normalize.rows import normalize
from spotify_lake.observability import logger, to_json
from spotify_lake.printable import printable, printable_json
from spotify_lake.raw import envelope
from tests.support import payloads
from tests.support.hostile import NAME, START, VISIBLE, is_shown, obeyed


def test_control_and_invisible_characters_become_escapes():
    assert printable(NAME) == VISIBLE
    assert printable("\ud800 \U000e0041 \u061c \xad") == r"\ud800 \U000e0041 \u061c \xad"
    assert printable("a\nb\tc", "\n") == "a\nb\\tc"


@pytest.mark.parametrize(
    "text", ["", "Röyksopp – 東京", "\xa0“…”", "👩\u200d🚀 ❤\ufe0f", "می\u200cخواهم", r"a\x1b", "שלום"]
)
def test_what_people_call_playlists_stays(text):
    assert printable(text) == text


@given(st.text())
def test_no_text_gets_through_and_none_is_changed_twice(text):
    shown = printable(text)
    hidden = {sign for sign in shown if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    assert hidden <= {"\u200c", "\u200d"}
    assert printable(shown) == shown


@given(st.dictionaries(st.text(), st.text()))
def test_json_keeps_its_values(value):
    text = printable_json(json.dumps(value, ensure_ascii=False))
    assert json.loads(text) == value
    assert printable_json(text) == text


class TestTerminal:
    @pytest.fixture(params=[True, False], ids=["terminal", "file"])
    def shown(self, request):
        """A terminal or a file, with the console that the commands use."""
        output = io.StringIO()
        console = SafeConsole(
            file=output,
            width=60,
            force_terminal=request.param,
            color_system="truecolor" if request.param else None,
        )
        return output, console

    @pytest.mark.parametrize(
        "method", ["heading", "exact", "done", "warn", "fail", "detail"], ids=lambda name: name
    )
    def test_every_way_to_say_something(self, shown, method):
        output, console = shown
        getattr(Terminal(console), method)(f"Playlist “{NAME}”")
        assert is_shown(output.getvalue(), f"Playlist “{VISIBLE}”")
        assert obeyed(output.getvalue()) == set()

    def test_paragraphs_progress_and_questions(self, shown):
        output, console = shown
        prompts = []

        def read(prompt):
            prompts.append(prompt)
            return ""

        terminal = Terminal(console, read=read)
        terminal.say(f"\n{NAME}")
        with terminal.progress("Exporting", 2) as progress:
            progress.update(1, NAME)
        terminal.ask("Client id", NAME)
        assert prompts == [f"Client id [{VISIBLE}]: "]
        moves = {"\x1b", "\r"} if console.is_terminal else set()  # rich's own, to redraw the bar
        assert obeyed(output.getvalue()) <= moves
        assert "\x1b]0;" not in output.getvalue()

    @pytest.mark.parametrize("columns", [1, 12], ids=["a table", "a line for each value"])
    def test_answers_to_queries(self, shown, columns):
        output, console = shown
        names = tuple(Column(f"{NAME}{number}", "varchar") for number in range(columns))
        show_result(console, QueryResult(names, ((NAME,) * columns,), "id", 1.0, 0))
        assert is_shown(output.getvalue(), START[:20])
        assert obeyed(output.getvalue()) == set()

    def test_whatever_else_is_put_on_the_console(self, shown):
        output, console = shown
        table = Table(title=NAME)
        table.add_column(NAME)
        table.add_row(NAME)
        console.print(table)
        console.print(NAME)
        Steps(console).done(NAME, 1.0)
        assert not obeyed(output.getvalue())

    def test_without_a_console_the_commands_use_this_one(self):
        assert isinstance(Terminal().console, SafeConsole)

    def test_errors_and_their_notes(self, capsys):
        _report(NAME, [NAME])
        assert obeyed(capsys.readouterr().err) == set()


@pytest.mark.parametrize(
    "error",
    [
        errors.LakeError(NAME),
        errors.PlaylistForbidden("37i9dQZF1DX", NAME),
        errors.SpotifyUnavailable(NAME),
        errors.RawObjectUnreadable("raw", NAME, NAME),
        errors.QueryFailed(NAME, NAME),
        errors.UnknownDataSet(NAME, [NAME]),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_can_go_to_any_log_mail_or_dead_letter(error):
    assert obeyed(str(error)) == set()
    assert START in str(error)


def test_the_jobs_errors_too():
    message = str(NothingToRead("s3://lake/staging/charts/", [NAME]))
    assert obeyed(message) == set()
    assert START in message


class TestLogs:
    def test_a_line_holds_the_name_and_nothing_that_is_obeyed(self):
        written = io.StringIO()
        handler = logging.StreamHandler(written)
        handler.setFormatter(logger.registered_formatter)
        record = logging.LogRecord("x", logging.INFO, __file__, 1, "Read %s", (NAME,), None)
        record.playlist = NAME
        handler.handle(record)
        assert obeyed(written.getvalue()) == set()
        line = json.loads(written.getvalue())
        assert (line["message"], line["playlist"]) == (f"Read {NAME}", NAME)

    def test_a_traceback_too(self):
        try:
            int(NAME)
        except ValueError:
            record = logging.LogRecord("x", logging.ERROR, __file__, 1, f"Failed {NAME}", (), sys.exc_info())
        assert obeyed(logger.registered_formatter.format(record)) == set()

    def test_letters_stay_letters(self):
        assert to_json({"name": "東京 Röyk"}) == '{"name":"東京 Röyk"}'

    @pytest.mark.parametrize(
        "line",
        [
            json.dumps({"level": NAME, "message": NAME, "playlist": NAME, NAME: [NAME]}),
            json.dumps({"level": "ERROR", "message": "m", "exception": f"Traceback\n{NAME}"}),
            json.dumps({"message": {NAME: NAME}}),
            NAME,
            f"START {NAME}",
        ],
    )
    def test_the_command_shows_it(self, line):
        output = io.StringIO()
        Console(file=output, width=500).print(logs.log_line(payloads.NOON, "extract", line))
        assert obeyed(output.getvalue()) == set()


def test_events_keep_the_name_and_have_a_label_to_show():
    def tables(*songs):
        entries = [payloads.entry(payloads.song(one)) for one in songs]
        data = payloads.raw_object(entries, playlist_object=payloads.playlist() | {"name": NAME})
        return normalize(envelope.decode(data))

    before, now = tables("a"), tables("b")
    playlist = detail(before, now, compare(before, now), "lake", ["k"])["playlist"]
    assert playlist["name"] == NAME
    assert playlist["label"] == VISIBLE


def test_a_playlist_without_a_name_is_labeled_by_its_id():
    data = payloads.raw_object([], playlist_object=payloads.playlist() | {"name": ""})
    tables = normalize(envelope.decode(data))
    found = detail(tables, tables, compare(tables, tables), "lake", [])
    assert found["playlist"]["label"] == tables.playlist_id
