"""What holds for every test: no real AWS account, no network beyond what its folder allows."""

import functools
import gc
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
E2E_TIMEOUT_S = 300
BULK_TIMEOUT_S = 900

# Before any module makes a client: credentials of nobody, and no way to find those of somebody.
for name in [name for name in os.environ if name.startswith(("AWS_", "POWERTOOLS_"))]:
    del os.environ[name]
os.environ.update(
    AWS_ACCESS_KEY_ID="test",
    AWS_SECRET_ACCESS_KEY="test",
    AWS_DEFAULT_REGION="us-east-1",
    AWS_EC2_METADATA_DISABLED="true",
    AWS_CONFIG_FILE=os.devnull,
    AWS_SHARED_CREDENTIALS_FILE=os.devnull,
    POWERTOOLS_METRICS_NAMESPACE="SpotifyLake",
    POWERTOOLS_SERVICE_NAME="test",
)

# Clients of AWS and what stands in for it are hundreds of thousands of objects. With Python's own thresholds, looking
# for garbage among them takes a third of the time of some tests.
gc.set_threshold(50_000, 20, 10)

# On a developer's machine examples differ from run to run; in CI the same commit always gets the same ones.
settings.register_profile("default", deadline=None)
settings.register_profile(
    "ci",
    deadline=None,
    derandomize=True,
    max_examples=300,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default"))


@functools.cache
def folder_of(path: Path) -> str:
    return path.relative_to(TESTS).parts[0] if path.is_relative_to(TESTS) else ""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Give each test the network and the time that its folder stands for."""
    for item in items:
        folder = folder_of(item.path)
        if folder == "unit":
            item.add_marker(pytest.mark.disable_socket)
        elif folder == "integration":
            item.add_marker(pytest.mark.allow_hosts(["127.0.0.1", "::1"]))
        elif folder == "bulk":
            item.add_marker(pytest.mark.timeout(BULK_TIMEOUT_S))
            # What connects Python with Spark leaves its sockets to the garbage collector.
            item.add_marker(pytest.mark.filterwarnings("ignore::ResourceWarning"))
            item.add_marker(pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"))
        elif folder == "e2e" and item.get_closest_marker("timeout") is None:
            item.add_marker(pytest.mark.timeout(E2E_TIMEOUT_S))


def pytest_collection_finish() -> None:
    """Leave modules and collected tests out of the search for garbage: they stay to the end."""
    gc.freeze()


def pytest_unconfigure() -> None:
    """Let everything be found again, so that libraries end as they should."""
    gc.unfreeze()


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Keep bytes out of the names of tests: what gzip makes holds the time, and workers compare their names."""
    return argname if isinstance(val, bytes) else None
