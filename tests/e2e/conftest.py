"""The stack under test: deployed once a session, on ports and in a folder of its own."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from local.emulator import leave_aws
from local.errors import LaptopError
from local.process import exclusive
from local.stack import LaptopStack

ROOT = Path(__file__).parents[2]
STATE = ROOT / ".local" / "e2e"
EMULATOR_PORT = 14566
STUB_PORT = 18700


@pytest.fixture(scope="session")
def stack() -> Iterator[LaptopStack]:
    """The laptop stack, new and empty; the one of `make demo` may run beside it."""
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
