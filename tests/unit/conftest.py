"""What unit tests of several modules need."""

import io
import json

import pytest

from spotify_lake.observability import logger
from tests.support.fakes import Log


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Log:
    """The lines that the functions' logger has written so far."""
    written = io.StringIO()
    monkeypatch.setattr(logger.registered_handler, "stream", written)
    return lambda: [json.loads(line) for line in written.getvalue().splitlines()]
