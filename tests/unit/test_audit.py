"""What pip-audit answers, and what is made of it: silence is no result."""

import json

import pytest

from tools.audit import ROOT, Findings, audit, locked

LOCKS = [ROOT / "layers" / "common" / "requirements.txt", ROOT / "requirements" / "dev.txt"]
SKIPPED = {"name": "spotipy", "skip_reason": "Dependency not found on PyPI and could not be audited"}


def answer(*packages: dict[str, object]) -> tuple[str, str]:
    return json.dumps({"dependencies": list(packages), "fixes": []}), "No known vulnerabilities found"


def clean(name: str = "requests") -> dict[str, object]:
    return {"name": name, "version": "2.34.2", "vulns": []}


def vulnerable() -> dict[str, object]:
    advisory = {
        "id": "PYSEC-2026-1",
        "fix_versions": ["2.34.3"],
        "aliases": ["CVE-2026-1"],
        "description": "…",
    }
    return clean() | {"vulns": [advisory]}


def found(*answers: tuple[str, str]) -> Findings:
    remaining = list(answers)
    return audit(LOCKS[: len(answers)], lambda _lock: remaining.pop(0))


def test_a_vulnerability_fails_and_says_where_it_is_fixed():
    findings = found(answer(clean("urllib3"), vulnerable()))
    assert findings.failed
    assert findings.sentences()[0] == (
        "requests 2.34.2 in layers/common/requirements.txt: PYSEC-2026-1, CVE-2026-1; fixed in 2.34.3"
    )


def test_a_vulnerability_in_any_lock_file_fails():
    assert found(answer(clean()), answer(vulnerable())).failed


def test_packages_without_any_are_counted():
    findings = found(answer(clean()), answer(clean(), clean("urllib3")))
    assert not findings.failed
    assert findings.sentences() == ["2 packages have no known vulnerabilities."]


@pytest.mark.parametrize(
    "unreachable",
    [
        ("", "requests.exceptions.ConnectionError: Failed to resolve"),
        answer(SKIPPED, SKIPPED | {"name": "numpy"}),
    ],
)
def test_without_data_nothing_fails_and_nothing_is_claimed(unreachable):
    findings = found(unreachable)
    assert not findings.failed
    assert findings.sentences() == ["NOT AUDITED: the vulnerability data is unreachable from here."]


def test_what_was_found_before_the_connection_broke_counts():
    findings = found(answer(vulnerable()), ("", "ReadTimeout"))
    assert findings.failed
    assert any(sentence.startswith("NOT AUDITED") for sentence in findings.sentences())


def test_packages_that_the_index_does_not_know_are_named():
    findings = found(answer(clean(), SKIPPED))
    assert not findings.failed
    assert "NOT AUDITED, unknown to the index: spotipy" in findings.sentences()


@pytest.mark.parametrize("complaint", ["", "ERROR: invalid requirement in line 3"])
def test_a_fault_fails(complaint):
    assert found(("", complaint)).failed


def test_every_lock_file_with_packages_is_audited():
    names = {str(path.relative_to(ROOT)) for path in locked()}
    assert names >= {
        "layers/common/requirements.txt",
        "layers/pandas/requirements.txt",
        "requirements/security.txt",
    }
    assert "functions/extract/requirements.txt" not in names, "it holds a comment only"
