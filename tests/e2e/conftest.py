"""The stack under test: deployed once a session, on ports and in a folder of its own, empty for each module."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from local.emulator import leave_aws
from local.errors import LaptopError
from local.process import exclusive
from local.stack import DEAD_LETTER_OUTPUTS, LaptopStack

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".local" / "e2e"
EMULATOR_PORT = 14566
STUB_PORT = 18700


@pytest.fixture(scope="session")
def deployed() -> Iterator[LaptopStack]:
    """The laptop stack; the one of `make demo` may run beside it."""
    with mock.patch.dict(os.environ):
        leave_aws(os.environ)
        laptop = LaptopStack(ROOT, STATE, emulator_port=EMULATOR_PORT, stub_port=STUB_PORT)
        try:
            with exclusive(STATE / "session.lock", "Other end-to-end tests are running in this folder."):
                laptop.down()  # what an interrupted session left
                laptop.up()
                try:
                    yield laptop
                finally:
                    laptop.down()
        except LaptopError as error:
            pytest.exit("\n".join([str(error), *error.excerpt, f"Log: {error.log}"]), returncode=1)


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
