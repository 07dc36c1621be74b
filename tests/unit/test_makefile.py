"""What make does with values from people: none is run, by make or by the shell."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.template import ROOT

FILES = (ROOT / "Makefile", ROOT / "requirements" / "environments.mk")
TARGETS = (
    "lock",
    "unit",
    "integration",
    "browser",
    "bulk-test",
    "e2e",
    "long",
    "bench",
    "fuzz",
    "bench-charts",
)
NAMES = (
    re.search(r"^VALUES := ((?:.*\\\n)*.*)$", FILES[0].read_text(), re.MULTILINE)[1].replace("\\", "").split()
)


def test_every_value_that_the_tasks_read_is_listed():
    text = "".join(file.read_text() for file in FILES)
    documented = set(re.findall(r"\b([A-Z][A-Z_]+)=", " ".join(re.findall(r"##.*", text))))
    assert documented >= {"CHANGE_SET", "LAKE_PARAMETERS", "CASES", "SEED", "UPGRADE"}
    assert documented - {"PYTHONPATH"} <= set(NAMES)


def make(*arguments: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "MAKE"))}
    return subprocess.run(
        ["make", *arguments],  # noqa: S607 - as a person does
        cwd=ROOT,
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    ).stdout


@pytest.mark.parametrize("given", ["on the command line", "in the environment"])
def test_no_value_is_expanded_or_run(tmp_path: Path, given: str) -> None:
    here = tmp_path / "ran"
    attack = f"x'\"; touch {here}; $(shell touch {here}) `touch {here}` $$(touch {here}) '"
    values = dict.fromkeys(NAMES, attack)
    every = "$(foreach name,$(VALUES),$(if $($(name)),$(name)))"
    # Dry runs print what the shell would be given. Tasks that call make again would do so in a dry run too.
    how = [
        "--dry-run",
        "--eval",
        f"shown: ; @echo {every}",
        "shown",
        "change-set",
        "apply-change-set",
        "deploy",
        "package",
        "unit",
        "fuzz",
        "bench-charts",
    ]
    if given == "on the command line":
        shown = make(*how, *(f"{name}={value}" for name, value in values.items()))
    else:
        shown = make(*how, **values)
    assert not here.exists(), "make itself ran it"
    assert f"echo {' '.join(NAMES)}" in shown
    assert "touch" not in shown.replace("touch .", ""), "the shell would run it"


@pytest.mark.parametrize("given", ["on the command line", "in the environment"])
@pytest.mark.parametrize(
    "program, why",
    [
        ("/nonexistent", "names no program"),
        ("{tmp}", "names nothing that can be run"),
        ("{tmp}/false", "did not answer as Python does (exit status 1)"),
        ("{tmp}/true", "did not answer as Python does (exit status 0)"),
        ("{tmp}/old", "is Python 3.12"),
    ],
)
def test_a_python_that_cannot_be_used_is_named_with_the_reason(
    tmp_path: Path, program: str, why: str, given: str
) -> None:
    for name, script in {"false": "exit 1", "true": "exit 0", "old": "echo 3.12"}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / name).chmod(0o755)
    named = program.format(tmp=tmp_path)
    how = ["--silent", "--eval", "installed: ; @$(find_python); echo $$python", "installed"]
    typed, around = (
        (["--silent", "demo", f"PYTHON={named}"], {}) if "line" in given else (how, {"PYTHON": named})
    )
    with pytest.raises(subprocess.CalledProcessError) as refused:
        make(*typed, **around)
    sentence = f"PYTHON={named} {why}; name a Python 3.13, or leave PYTHON out and one is looked for."
    said = [line for line in refused.value.stderr.splitlines() if not line.startswith("make: ***")]
    assert said == [sentence]
    assert refused.value.stdout == ""


def test_a_python_that_can_be_used_is_used() -> None:
    how = ["--silent", "--eval", "installed: ; @$(find_python); echo $$python", "installed"]
    assert make(*how, f"PYTHON={sys.executable}").strip() == sys.executable


def test_the_browser_that_a_person_chose_stays_chosen() -> None:
    how = ["--eval", "shown: ; @printf '%s' \"$$BROWSER\"", "shown"]
    assert make(*how, BROWSER="open-on-host") == "open-on-host"


def test_pytest_gets_its_options() -> None:
    how = ["--eval", "shown: ; @printf '%s' \"$$PYTEST_ADDOPTS\"", "shown"]
    assert make(*how, "PYTEST_ARGS=-k 'a or b'") == "-k 'a or b'"
