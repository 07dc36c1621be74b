"""The stacks under test: one for each worker, on its own ports and in its own folder, deployed once and emptied for
each module."""

import itertools
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from unittest import mock

import pytest

from local.emulator import leave_aws
from local.errors import LaptopError
from local.process import exclusive
from local.stack import DEAD_LETTER_OUTPUTS, LaptopStack

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".local" / "e2e"
# The first stack's, and how far the next one's are from them.
EMULATOR_PORT, STUB_PORT, PORTS_APART = 14566, 18700, 10
PATIENCE_S = 60.0
# Workers take whole files in this order, so that none begins a long one when the others have finished.
LONGEST_FIRST = (
    "examples load faults permissions operate queries lake report build_size details events import evolution own_key"
    " limits without_bulk bulk front changes logs doctor deploy_roles"
).split()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the end-to-end tests behind others, and the longest files first."""
    rank = {f"test_{name}.py": number for number, name in enumerate(LONGEST_FIRST, start=1)}
    own = Path(__file__).parent
    items.sort(key=lambda item: rank.get(item.path.name, len(rank) + 1) if item.path.parent == own else 0)


@pytest.fixture(scope="session")
def deployed(request: pytest.FixtureRequest) -> Iterator[LaptopStack]:
    """The laptop stack of this worker; the one of `make demo` may run beside it."""
    with mock.patch.dict(os.environ):
        leave_aws(os.environ)
        try:
            with free_place() as laptop:
                laptop.up()
                try:
                    yield laptop
                finally:
                    laptop.down()
        except LaptopError as error:
            request.session.shouldfail = "Without a stack, no other test is run."  # by no worker
            pytest.fail("\n".join([str(error), *error.excerpt, f"Log: {error.log}"]), pytrace=False)


@contextmanager
def free_place() -> Iterator[LaptopStack]:
    """A stack that no other worker or session has; those that interrupted sessions left are stopped."""
    with ExitStack() as held:
        with exclusive(STATE / "places.lock", "Other end-to-end tests do not start.", PATIENCE_S):
            chosen = None
            for number in itertools.count():
                if chosen and not (STATE / str(number)).exists():
                    break
                lock = ExitStack()
                try:
                    lock.enter_context(exclusive(STATE / str(number) / "session.lock", "It is in use."))
                except LaptopError:
                    continue
                with lock:
                    laptop = stack_of(number)
                    laptop.down()
                    if chosen is None:
                        chosen = laptop
                        held.enter_context(lock.pop_all())
        yield chosen


def stack_of(number: int) -> LaptopStack:
    apart = PORTS_APART * number
    return LaptopStack(
        ROOT, STATE / str(number), emulator_port=EMULATOR_PORT + apart, stub_port=STUB_PORT + apart
    )


@pytest.fixture(scope="module")
def stack(deployed: LaptopStack) -> LaptopStack:
    """The laptop stack without any data: no module sees what another one left."""
    deployed.wait_until_idle()
    for output in ("TransformQueueUrl", *DEAD_LETTER_OUTPUTS):
        deployed.client("sqs").purge_queue(QueueUrl=deployed.outputs[output])
    s3 = deployed.client("s3")
    for output in ("RawBucketName", "LakeBucketName"):
        bucket = deployed.outputs[output]
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", []), *page.get("DeleteMarkers", [])]
            objects = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            if objects:
                s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
        assert "Contents" not in s3.list_objects_v2(Bucket=bucket)
    return deployed
