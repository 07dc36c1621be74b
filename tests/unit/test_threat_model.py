"""Each threat in docs/threat-model.md names the tests that guard against it, and these exist."""

import re
from pathlib import Path

import pytest

from tests.support.template import ROOT

PAGE = (ROOT / "docs" / "threat-model.md").read_text()
ROWS = [
    [cell.strip() for cell in line.strip("|").split(" | ")]
    for line in PAGE.split("| threat | protection | proof |")[1].splitlines()
    if line.startswith("|") and not line.startswith("|---")
]
PROOF = re.compile(r"`(tests/[\w/.]+)(?:::([\w:]+))?`")


def test_the_table_is_read():
    assert len(ROWS) >= 20
    assert all(len(row) == 3 for row in ROWS), [row for row in ROWS if len(row) != 3]


@pytest.mark.parametrize("threat, proof", [(row[0], row[-1]) for row in ROWS], ids=range(len(ROWS)))
def test_a_threat_names_tests_that_exist(threat, proof):
    named = PROOF.findall(proof)
    assert named, f"no test guards against: {threat}"
    for path, names in named:
        assert (ROOT / path).exists(), path
        for name in filter(None, names.split("::")):
            assert _defines(ROOT / path, name), f"{path} has no {name}"


def _defines(path: Path, name: str) -> bool:
    return re.search(rf"^\s*(?:def|class) {name}\b", path.read_text(), re.MULTILINE) is not None


def test_every_name_on_the_page_is_in_the_form_that_is_checked():
    mentioned = re.findall(r"`(tests/[^`]+)`", PAGE)
    assert len(mentioned) == len(PROOF.findall(PAGE))
    assert not re.findall(r"\bTest[A-Z]\w+ in `", PAGE)
