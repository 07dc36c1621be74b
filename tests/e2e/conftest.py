"""The stack under test: deployed once a session, on ports and in a folder of its own."""

import os
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from local.emulator import leave_aws
from local.stack import LaptopStack

ROOT = Path(__file__).parents[2]
EMULATOR_PORT = 14566
STUB_PORT = 18700


@pytest.fixture(scope="session")
def stack() -> Iterator[LaptopStack]:
    """The laptop stack, new and empty; the one of `make demo` may run beside it."""
    with mock.patch.dict(os.environ):
        leave_aws(os.environ)
        laptop = LaptopStack(ROOT, ROOT / ".local" / "e2e", emulator_port=EMULATOR_PORT, stub_port=STUB_PORT)
        laptop.down()  # what an interrupted session left
        laptop.up()
        yield laptop
        laptop.down()
