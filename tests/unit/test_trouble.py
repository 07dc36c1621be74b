"""A full disk, an emulator that has stopped, and Ctrl-C: what commands say, and for which lake."""

import errno
import json
from pathlib import Path
from typing import Any, NamedTuple

import botocore.exceptions as aws
import pytest

from cli import app as program
from cli import stack as cli_stack
from cli.app import Target
from cli.commands import demo, status, up
from cli.stack import OpsError
from local import stack as laptop
from local import trouble
from local.errors import LaptopError
from local.process import BackgroundProcess
from spotify_lake.log_lines import errors_in, is_lasting
from tests.support.operated import lake


class Usage(NamedTuple):
    """What shutil.disk_usage returns."""

    total: int
    used: int
    free: int


GONE = aws.EndpointConnectionError(endpoint_url="http://127.0.0.1:4566/")


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Set how much of the disk is free, in megabytes."""

    def use(megabytes: int) -> None:
        usage = Usage(10**12, 0, megabytes * trouble.MEGABYTE)
        monkeypatch.setattr(trouble.shutil, "disk_usage", lambda _path: usage)

    use(50_000)
    return use


@pytest.fixture
def emulator(tmp_path: Path) -> BackgroundProcess:
    """One that does not run."""
    return BackgroundProcess("emulator", tmp_path)


def raised_from(error: Exception, cause: BaseException) -> Exception:
    try:
        raise error from cause
    except type(error) as found:
        return found


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        raised_from(OpsError("It failed."), OSError(errno.ENOSPC, "No space left on device")),
        LaptopError("The build failed.", excerpt=["cp: write error: No space left on device"]),
        OpsError(
            "197 snapshots wait. The last error it logged: OSError: [Errno 28] No space left on device."
        ),
    ],
    ids=repr,
)
def test_a_full_disk_is_called_that(
    error: Exception, tmp_path: Path, emulator: BackgroundProcess, free: Any
) -> None:
    said = trouble.explain(error, tmp_path / "not" / "there", emulator)
    assert said is not None
    assert said.startswith("The disk is full: 50,000 MB are free for ")


def test_whatever_failed_a_disk_without_room_is_the_cause(
    tmp_path: Path, emulator: BackgroundProcess, free: Any
) -> None:
    assert trouble.explain(OpsError("S3 answered 500."), tmp_path, emulator) is None
    free(trouble.FULL_MB - 1)
    said = trouble.explain(OpsError("S3 answered 500."), tmp_path, emulator)
    assert said is not None
    assert said.startswith("The disk is full: 19 MB are free")


def test_an_emulator_that_was_killed_is_named_with_what_to_run(
    tmp_path: Path, emulator: BackgroundProcess, free: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for error in (GONE, raised_from(LaptopError("It failed."), GONE)):
        said = trouble.explain(error, tmp_path, emulator)
        assert said == (
            "The AWS emulator on this laptop has stopped, and its data is lost. Run `./lake up` to start it again, or"
            f" `./lake demo` to fill it, too. Its log: {tmp_path}/emulator.log"
        )
    monkeypatch.setattr(emulator, "pid", lambda: 7)
    assert "does not answer" in (trouble.explain(GONE, tmp_path, emulator) or "")


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have ./lake status raise."""

    def use(error: BaseException) -> None:
        def find(**_: Any) -> None:
            raise error

        monkeypatch.setattr(status, "find", find)

    return use


def test_the_command_says_it_first_and_then_what_failed(
    failing: Any, free: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli_stack, "laptop_trouble", lambda error: f"Trouble with {type(error).__name__}.")
    failing(GONE)
    assert lake("status", "--laptop") == 1
    assert capsys.readouterr().err.startswith(
        "✗ Trouble with EndpointConnectionError.\n  AWS cannot be reached"
    )
    assert lake("status") == 1
    assert capsys.readouterr().err.startswith("✗ AWS cannot be reached"), "of AWS this machine says nothing"


def test_a_disk_that_is_full_is_a_sentence_for_a_lake_on_aws_too(
    failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    failing(OSError(errno.ENOSPC, "No space left on device", "export/songs.csv"))
    assert lake("status") == 1
    assert "✗ The disk is full: " in capsys.readouterr().err
    failing(OSError(errno.EACCES, "denied"))
    with pytest.raises(PermissionError):
        program.app(["status"], prog_name="lake")


@pytest.mark.parametrize("command, missing", [(demo, 1550), (up, 1550)])
def test_room_is_looked_for_before_anything_is_installed(
    command: Any, missing: int, free: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: Any
) -> None:
    monkeypatch.setattr(cli_stack, "ROOT", tmp_path)
    monkeypatch.setattr(command.environments, "need", lambda *_: pytest.fail("it was not looked for"))
    free(missing - 1)
    assert lake(command.__name__.rpartition(".")[2]) == 1
    assert f"needs about {missing:,} MB below {tmp_path}, and {missing - 1:,} MB are free" in " ".join(
        capsys.readouterr().err.split()
    )
    for path in cli_stack.ROOM_MB:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    cli_stack.need_room()  # everything is there


def test_errors_that_stay_are_told_from_those_that_pass() -> None:
    line = json.dumps(
        {
            "level": "ERROR",
            "message": "It failed",
            "exception": "Trace\nOSError: [Errno 28] No space left on device",
        }
    )
    assert errors_in([line, "INIT", json.dumps({"level": "INFO", "message": "fine"})]) == [
        "It failed: OSError: [Errno 28] No space left on device"
    ]
    assert is_lasting(errors_in([line]))
    assert is_lasting(["ClientError: AccessDenied"])
    assert not is_lasting(["S3 is slow", "Slow down"])


def test_what_a_process_logs_is_read_from_a_place_on(emulator: BackgroundProcess) -> None:
    assert (emulator.log_size(), emulator.log_since(0)) == (0, [])
    emulator.log_path.write_text("old\n")
    size = emulator.log_size()
    with emulator.log_path.open("a") as log:
        log.write("new\n")
    assert emulator.log_since(size) == ["new"]


# Ctrl-C and advice


@pytest.mark.parametrize(
    "typed, again",
    [
        (["status"], "./lake status"),
        (["status", "--laptop"], "./lake status --laptop"),
        (["status", "--stack", "my lake"], "./lake status --stack 'my lake'"),
    ],
)
def test_ctrl_c_says_the_state_and_what_was_typed(
    typed: list[str], again: str, failing: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    stopped = KeyboardInterrupt()
    stopped.add_note("Nothing was changed.")
    failing(stopped)
    assert lake(*typed) == 130
    assert (
        " ".join(capsys.readouterr().err.split())
        == f"✗ Stopped. Nothing was changed. `{again}` runs it again."
    )


@pytest.mark.parametrize(
    "typed, advice",
    [
        ("status", "Run `./lake login`, `./lake up` or `./lake replay --from 2026-01-01`."),
        (
            "status --laptop",
            "Run `./lake login --laptop`, `./lake up` or `./lake replay --from 2026-01-01 --laptop`.",
        ),
        (
            "login --stack other",
            "Run `./lake login --stack other`, `./lake up` or `./lake replay --from 2026-01-01 --stack other`.",
        ),
        ("demo", "Run `./lake login --laptop`, `./lake up` or `./lake replay --from 2026-01-01 --laptop`."),
    ],
)
def test_advice_names_the_lake_that_the_command_was_for(typed: str, advice: str) -> None:
    text = "Run `./lake login`, `./lake up` or `./lake replay --from 2026-01-01`."
    assert Target(typed.split()).aimed(text) == advice
    assert Target(typed.split()).aimed(advice) == advice


def test_down_removes_what_was_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = laptop.LaptopStack(cli_stack.ROOT, tmp_path)
    for made in ("bulk/work/x", "report/index.html", "emulator/tmp/x", "emulator/s3/x", "emulator/state/x"):
        (tmp_path / made).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / made).write_text("x")
    (tmp_path / "sam-build.log").write_text("kept")
    stack.down()
    left = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"sam-build.log", "command.lock"}
