"""What outlives a run; the tests of a run show what it is good for."""

from datetime import UTC, datetime, timedelta

from spotify_lake.extract.state import first_attempt_at
from tests.support.fakes import FakeS3

NOW = datetime(2026, 11, 20, 6, 0, 1, 500_000, tzinfo=UTC)


def test_every_attempt_of_an_invocation_means_the_first_one() -> None:
    s3 = FakeS3()
    assert first_attempt_at(s3, "raw", "one", NOW) == NOW
    assert first_attempt_at(s3, "raw", "one", NOW + timedelta(minutes=3)) == NOW
    assert first_attempt_at(s3, "raw", "two", NOW + timedelta(minutes=4)) == NOW + timedelta(minutes=4)
