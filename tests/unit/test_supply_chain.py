"""What runs while the project is built: actions and packages, each exactly the one that was reviewed."""

import re

import pytest

from tests.support.template import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
MAKEFILES = [ROOT / "requirements" / "environments.mk", *sorted((ROOT / "layers").glob("*/Makefile"))]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path):
    used = re.findall(r"uses:\s*(.+)", path.read_text())
    assert used
    for action in used:
        assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action), action


def test_an_action_has_one_version():
    used = {action for path in WORKFLOWS for action in re.findall(r"uses:\s*(.+)", path.read_text())}
    assert len({action.split("@")[0] for action in used}) == len(used)


@pytest.mark.parametrize("path", MAKEFILES, ids=lambda path: path.parent.name)
def test_only_wheels_are_installed(path):
    text = path.read_text().replace("\\\n", " ")
    calls = [line for line in text.splitlines() if re.search(r"pip (install|sync|compile) ", line)]
    assert calls
    for call in calls:
        assert "--only-binary :all:" in call or "$(WHEELS)" in call, call


def test_the_only_exception_is_named():
    text = MAKEFILES[0].read_text()
    assert re.findall(r"^WHEELS := (.*)", text, re.MULTILINE) == ["--only-binary :all: --no-binary pyspark"]
    locks = [*(ROOT / "requirements").glob("*.txt"), *(ROOT / "layers").glob("*/requirements.txt")]
    assert [path.name for path in locks if re.search(r"^pyspark==", path.read_text(), re.MULTILINE)] == [
        "spark.txt"
    ]
