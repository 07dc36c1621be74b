"""The program `lake`: its commands, their help and examples, and what errors and Ctrl-C become."""

import os
import re
import subprocess
import sys

import botocore.exceptions as aws
import pytest

from cli import app as program
from cli.commands import status
from local.errors import LaptopError
from local.stack import LaptopStack
from tests.support.commands import parse
from tests.support.operated import lake
from tests.support.template import ROOT

COMMANDS = sorted(program.names())
LISTED = 66  # characters of a summary that fit beside the longest name in 80 columns
HEAVY = {"awswrangler", "boto3", "duckdb", "local", "pandas", "pyarrow", "pydantic", "rich", "sqlglot"}


def run(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_help_with_examples_that_parse(name, capsys):
    assert lake(name, "--help") == 0
    out = capsys.readouterr().out
    examples = re.findall(r"^  (\./lake .*)$", out, re.MULTILINE)
    assert examples
    for example in examples:
        assert example.split()[1] == name
        parse(example)
    assert all(len(line) <= 80 for line in out.splitlines())


def test_the_list_of_commands_is_not_cut_off(capsys):
    assert lake("--help") == 0
    out = capsys.readouterr().out.partition("Commands:")[2]
    listed = re.findall(r"^  ([a-z-]+) {2,}(\S.*)$", out, re.MULTILINE)
    assert [name for name, _ in listed] == COMMANDS
    assert all(summary.endswith(".") and len(summary) <= LISTED for _, summary in listed)
    assert "..." not in out


def test_the_list_of_commands_imports_none_of_them():
    code = """if True:
        import sys
        from cli.app import app
        try:
            app(["--help"], prog_name="lake")
        except SystemExit:
            print("LOADED", *sys.modules)
    """
    loaded = run(code).partition("LOADED")[2].split()
    assert "cli.app" in loaded
    assert HEAVY & set(loaded) == set()


FOR_AWS = sorted(set(program.names().values()) - {"bulk_demo", "demo", "down", "up"})


@pytest.fixture(scope="module")
def imported() -> dict[str, set[str]]:
    """What each module of a command imports beyond those before it, in one process for all of them."""
    code = """if True:
        import importlib, sys
        for name in sys.argv[1:]:
            before = set(sys.modules)
            importlib.import_module(f"cli.commands.{name}")
            print(name, *set(sys.modules) - before)
    """
    lines = run(code, *FOR_AWS).splitlines()
    return {name: set(modules) for name, *modules in map(str.split, lines)}


@pytest.mark.parametrize("name", FOR_AWS)
def test_commands_for_aws_start_without_the_emulator(name, imported):
    assert {"local.stack", "local.sql_dialect", "sqlglot", "duckdb"} & imported[name] == set()


def test_status_on_the_laptop_starts_without_libraries_that_it_does_not_use():
    code = "import sys, cli.commands.status, local.stack; print(*sys.modules)"
    loaded = set(run(code).split())
    assert "local.stack" in loaded
    assert {"duckdb", "pandas", "pyarrow.dataset", "redis", "spotipy", "sqlglot"} & loaded == set()


def test_an_import_loads_the_libraries_for_reading_tables_later():
    code = "import sys, cli.commands.import_, local.stack; print(*sys.modules)"
    loaded = set(run(code).split())
    assert "local.stack" in loaded
    assert {"duckdb", "numpy", "pandas", "pyarrow", "spotipy", "sqlglot"} & loaded == set()


def test_a_typing_error_is_answered_with_what_to_type(capsys):
    assert lake("statsu") == 2
    assert "Did you mean 'status'?" in capsys.readouterr().err
    assert lake("replay") == 2
    error = capsys.readouterr().err
    assert "./lake replay --from 2026-11-01" in error
    assert "Missing option '--from'" in error


@pytest.fixture
def failing(monkeypatch):
    """Have a command raise."""

    def use(error):
        def find(**_):
            raise error

        monkeypatch.setattr(status, "find", find)

    return use


def test_an_error_is_a_sentence_with_its_log_and_status_1(failing, capsys, tmp_path):
    failing(LaptopError("It broke [x].", log=tmp_path / "a.log", excerpt=["Error: [1]"]))
    assert lake("status") == 1
    error = capsys.readouterr().err
    assert "✗ It broke [x].\n  Error: [1]\n" in error
    assert "a.log" in error


def test_what_aws_refuses_is_a_sentence_and_status_1(failing, capsys):
    failing(aws.NoCredentialsError())
    assert lake("status") == 1
    assert "✗ There are no AWS credentials on this machine." in capsys.readouterr().err


def test_ctrl_c_is_status_130(failing, capsys):
    failing(KeyboardInterrupt())
    assert lake("status") == 130
    assert "Stopped." in capsys.readouterr().err


def test_a_defect_is_not_hidden(failing):
    failing(ValueError("a defect"))
    with pytest.raises(ValueError, match="a defect"):
        program.app(["status"], prog_name="lake")


def test_a_laptop_stack_that_does_not_run_is_a_sentence(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr("local.stack.LaptopStack", lambda root, _state_dir: LaptopStack(root, tmp_path))
    with monkeypatch.context() as patch:
        patch.setattr(os, "environ", dict(os.environ))
        assert lake("query", "--laptop", "SELECT 1") == 1
    assert "The laptop stack is not running." in " ".join(capsys.readouterr().err.split())


def test_colors_can_be_switched_off():
    code = "from cli.terminal import Terminal; Terminal().done('Done')"
    assert run(f"import os; os.environ.update(NO_COLOR='1', FORCE_COLOR='1'); {code}") == "✓ Done\n"


# The launcher


def launch(*arguments: str, cwd, program=ROOT / "lake") -> subprocess.CompletedProcess:
    environ = os.environ | {"PYTHON": sys.executable, "PYTHONPATH": "/nowhere", "VIRTUAL_ENV": "/nowhere"}
    return subprocess.run(
        [program, *arguments], cwd=cwd, env=environ, capture_output=True, text=True, check=False
    )


def test_the_launcher_works_from_any_folder_and_through_symbolic_links(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    (inner / "first").symlink_to(ROOT / "lake")
    (tmp_path / "lake").symlink_to("inner/first")
    done = launch("--help", cwd=inner, program=tmp_path / "lake")
    assert done.returncode == 0, done.stderr
    assert "Usage: lake" in done.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_is_for_the_name_that_people_type(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    done = launch("--show-completion", shell, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "_LAKE_COMPLETE" in done.stdout


def test_commands_and_flags_are_completed(tmp_path, monkeypatch):
    for words, wanted in (
        ("lake re", {"redrive", "redshift", "replay", "report"}),
        ("lake redrive --qu", {"--queue"}),
    ):
        monkeypatch.setenv("_LAKE_COMPLETE", "complete_bash")
        monkeypatch.setenv("COMP_WORDS", words)
        monkeypatch.setenv("COMP_CWORD", str(len(words.split()) - 1))
        assert set(launch(cwd=tmp_path).stdout.split()) == wanted
