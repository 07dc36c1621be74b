"""What Lambda unpacks for each function, as `sam build` makes it for this machine and for AWS."""

import os
import re
import subprocess
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import pytest

from local.deploy import Deployment, Tools
from tests.support.template import ROOT, load

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: code and layers together, unzipped.
LIMIT_BYTES = 250 * 1024 * 1024
FUNCTIONS = ("ExtractFunction", "TransformFunction", "ReportFunction")
ELF_AARCH64 = 183
UNCHECKED = 1  # in the flags of a .pyc: found by a hash that is not compared (PEP 552)


@pytest.fixture(scope="module")
def laptop_build(tmp_path_factory) -> Path:
    deployment = Deployment(ROOT, Tools.below(ROOT), tmp_path_factory.mktemp("logs"))
    if not deployment.is_built():
        deployment.build()
    return deployment.settings.build_dir


@pytest.fixture(scope="module")
def aws_build() -> Path:
    tools = Tools.below(ROOT)
    environ = {name: value for name, value in os.environ.items() if name != "LAKE_BUILD"}
    environ["PATH"] = os.pathsep.join([*map(str, tools.path), environ["PATH"]])
    run = subprocess.run(
        [tools.sam, "build"],
        check=False,
        cwd=ROOT,
        env=environ | {"SAM_CLI_TELEMETRY": "0"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return ROOT / ".aws-sam" / "build"


@pytest.fixture(params=["laptop", "aws"])
def build(request) -> Path:
    return request.getfixturevalue(f"{request.param}_build")


@pytest.mark.parametrize("function", FUNCTIONS)
def test_function_and_layers_fit_in_lambda(build, function):
    sizes = {part.name: size(part) for part in unpacked(build, function)}
    total = sum(sizes.values())
    report = ", ".join(f"{name} {bytes_ / 1024**2:.1f}" for name, bytes_ in sizes.items())
    print(
        f"\n{build.relative_to(ROOT)}: {function} {total / 1024**2:.1f} of {LIMIT_BYTES / 1024**2:.0f} MiB ({report})"
    )
    assert total < LIMIT_BYTES, report


def test_build_holds_no_leftovers(build):
    leftovers = [
        path.relative_to(build)
        for path in build.rglob("*")
        if path.name in {"tests", "boto3", "botocore", "bin"}
    ]
    assert leftovers == []


def test_layers_are_compiled_for_lambda(build):
    """Into a layer Python cannot write, so it would compile again at each start what is not there."""
    for layer in ("CommonLayer", "PandasLayer"):
        sources = [path for path in (build / layer).rglob("*.py") if path.stat().st_size]
        assert sources
        for source in sources:
            compiled = Path(cache_from_source(str(source))).read_bytes()
            assert compiled[:4] == MAGIC_NUMBER, f"{source} is compiled for another Python"
            assert int.from_bytes(compiled[4:8], "little") == UNCHECKED, f"{source} would be checked"
    assert (
        b"/opt/python/spotify_lake/transform/parquet.py"
        in Path(
            cache_from_source(str(build / "CommonLayer/python/spotify_lake/transform/parquet.py"))
        ).read_bytes()
    ), "tracebacks would name the place of the build"


def test_aws_build_is_made_for_graviton(aws_build):
    libraries = [path for path in aws_build.rglob("*.so*") if path.is_file()]
    assert libraries
    assert [path.name for path in libraries if machine(path) != ELF_AARCH64] == []


def test_aws_build_holds_every_arrow_library_that_another_asks_for(aws_build):
    """The laptop imports its own build; this one cannot be imported here, so its references are followed."""
    pyarrow = aws_build / "PandasLayer" / "python" / "pyarrow"
    wanted = re.compile(rb"lib(?:arrow|parquet)\w*\.so\.\d+")
    asked = {name.decode() for path in pyarrow.glob("*.so*") for name in wanted.findall(path.read_bytes())}
    assert asked
    assert {name for name in asked if not (pyarrow / name).exists()} == set()


def unpacked(build: Path, function: str) -> list[Path]:
    """Return the directories that end up in a function's file system, as the built template names them."""
    resources = load(build / "template.yaml")["Resources"]
    properties = resources[function]["Properties"]
    layers = [resources[layer["Ref"]]["Properties"]["ContentUri"] for layer in properties["Layers"]]
    return [build / properties["CodeUri"], *(build / layer for layer in layers)]


def size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def machine(library: Path) -> int:
    """Return e_machine of an ELF file, 0 for any other."""
    with library.open("rb") as file:
        header = file.read(20)
    return int.from_bytes(header[18:20], "little") if header[:4] == b"\x7fELF" else 0
