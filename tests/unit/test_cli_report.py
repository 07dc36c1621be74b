"""`./lake report`: invoke, fetch, show."""

import io
import json

import pytest
from rich.console import Console

from cli.commands import report
from cli.stack import Lake, OpsError
from cli.terminal import Terminal

WRITTEN = {
    "bucket": "the-lake",
    "keys": ["report/2026-11-20.html", "report/index.html"],
    "date": "2026-11-20",
    "playlists": 7,
    "size_bytes": 6,
}


class FakeAws:
    """The functions and the bucket of a lake."""

    def __init__(self, answer=WRITTEN, error=None):
        self.answer, self.error = answer, error

    def invoke(self, *, FunctionName, Payload):
        assert (FunctionName, Payload) == ("the-function", b"{}")
        answer = {"Payload": io.BytesIO(json.dumps(self.answer).encode())}
        return answer | ({"FunctionError": self.error} if self.error else {})

    def get_object(self, *, Bucket, Key):
        assert (Bucket, Key) == ("the-lake", "report/index.html")
        return {"Body": io.BytesIO(b"<page>")}

    def generate_presigned_url(self, operation, *, Params, ExpiresIn):
        return f"https://signed.test/{operation}/{Params['Key']}?for={ExpiresIn}"


def run(tmp_path, aws, on_laptop=False, opened=None):
    console = Console(record=True, width=300, file=io.StringIO())
    lake = Lake(
        on_laptop=on_laptop,
        stack="spotify-lake",
        account="123456789012",
        region="eu-central-1",
        outputs={"ReportFunctionName": "the-function"},
        parameters={},
        client=lambda _service: aws,
    )
    path = tmp_path / "new" / "index.html"
    report.run(lake, Terminal(console), path, opened)
    return path, console.export_text()


def test_the_page_is_saved_and_its_places_are_named(tmp_path):
    opened = []
    path, text = run(tmp_path, FakeAws(), opened=opened.append)
    assert path.read_bytes() == b"<page>"
    assert opened == [path.as_uri()]
    assert "7 playlists, newest snapshot 2026-11-20." in text
    assert str(path) in text
    assert "https://signed.test/get_object/report/index.html?for=3600" in text


def test_on_the_laptop_there_is_no_link_to_a_bucket(tmp_path):
    _, text = run(tmp_path, FakeAws(), on_laptop=True)
    assert "https://" not in text


def test_a_lake_without_snapshots_has_a_page_that_says_so(tmp_path):
    nothing = WRITTEN | {"keys": ["report/index.html"], "date": None, "playlists": 0}
    path, text = run(tmp_path, FakeAws(nothing))
    assert path.exists()
    assert "no snapshots yet" in text


def test_what_the_function_says_is_passed_on(tmp_path):
    with pytest.raises(OpsError, match="The report was not written: Athena did not answer"):
        run(tmp_path, FakeAws({"errorMessage": "Athena did not answer"}, error="Unhandled"))
    assert not (tmp_path / "new").exists()
