"""What Lambda unpacks for each function, as `sam build` makes it for this machine and for AWS.

The build for AWS cannot run here: its compiled modules are for arm64. The laptop's build runs, and both hold the same
modules; of those that are compiled for AWS, what they ask of the system is read.
"""

import importlib.util
import os
import re
import subprocess
import sys
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path
from typing import NamedTuple

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection

from local.deploy import Deployment, Tools
from tests.support.template import ROOT, load

# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html: code and layers together, unzipped.
LIMIT_BYTES = 250 * 1024 * 1024
FUNCTIONS = ("ExtractFunction", "TransformFunction", "ReportFunction", "ArrivalFunction")
LAYERS = ("CommonLayer", "PandasLayer", "JobsLayer")
PYTHON_3_13 = 3571  # the magic number of its bytecode, in every release since the first candidate
# Lambda's python3.13 is Amazon Linux 2023 (https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html), with
# glibc 2.34 and GCC 11 (https://docs.aws.amazon.com/linux/al2023/ug/core-glibc.html); GCC's libstdc++ of that version
# ends with GLIBCXX_3.4.29 and CXXABI_1.3.13 (https://gcc.gnu.org/onlinedocs/libstdc++/manual/abi.html).
SYSTEM_VERSIONS = {"GLIBC": (2, 34), "GLIBCXX": (3, 4, 29), "CXXABI": (1, 3, 13), "GCC": (11,)}
SYSTEM_LIBRARIES = {
    "ld-linux-aarch64.so.1",
    "libc.so.6",
    "libdl.so.2",
    "libgcc_s.so.1",
    "libm.so.6",
    "libpthread.so.0",
    "librt.so.1",
    "libstdc++.so.6",
}
# What the runtime brings (NOT_SHIPPED in layers/pandas/Makefile), with what it needs itself.
RUNTIME = ("boto3", "botocore", "jmespath", "s3transfer", "urllib3", "dateutil", "six")
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
            assert int.from_bytes(compiled[:2], "little") == PYTHON_3_13
            assert int.from_bytes(compiled[4:8], "little") == UNCHECKED, f"{source} would be checked"
    assert (
        b"/opt/python/spotify_lake/transform/parquet.py"
        in Path(
            cache_from_source(str(build / "CommonLayer/python/spotify_lake/transform/parquet.py"))
        ).read_bytes()
    ), "tracebacks would name the place of the build"


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_handler_starts_from_what_is_shipped_and_the_runtime_alone(laptop_build, function, tmp_path):
    """In Lambda's order, and without the environment of these tests."""
    for name in RUNTIME:
        found = importlib.util.find_spec(name)
        assert found
        assert found.origin
        origin = Path(found.origin)
        origin = origin.parent if origin.name == "__init__.py" else origin
        (tmp_path / origin.name).symlink_to(origin)
    code, *layers = unpacked(laptop_build, function)
    path = [str(code), *(str(layer / "python") for layer in layers), str(tmp_path)]
    program = f"import sys; sys.path[:0] = {path!r}; import app; print(app.handler.__name__, app.__file__)"
    run = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", program],
        check=False,
        env={"AWS_DEFAULT_REGION": "eu-central-1"},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["handler", str(code / "app.py")]


@pytest.mark.parametrize("layer", LAYERS)
def test_both_builds_hold_the_same_modules(laptop_build, aws_build, layer):
    """So that what starts here is whole there too."""
    assert modules(aws_build / layer) == modules(laptop_build / layer)
    own = Path("python/spotify_lake")
    for source in (aws_build / layer / own).rglob("*.py"):
        here = laptop_build / layer / own / source.relative_to(aws_build / layer / own)
        assert source.read_bytes() == here.read_bytes()


def test_functions_and_layers_are_declared_for_the_processor_they_are_built_for(aws_build):
    template = load(aws_build / "template.yaml")
    assert template["Globals"]["Function"]["Architectures"] == ["arm64"]
    assert template["Globals"]["Function"]["Runtime"] == "python3.13"
    for name in LAYERS:
        assert template["Resources"][name]["Properties"]["CompatibleArchitectures"] == ["arm64"]
        assert template["Resources"][name]["Properties"]["CompatibleRuntimes"] == ["python3.13"]


def test_compiled_modules_are_made_for_graviton_and_amazon_linux_2023(aws_build):
    libraries = {path: read_library(path) for path in aws_build.rglob("*.so*") if path.is_file()}
    assert libraries
    assert [path.name for path, library in libraries.items() if library.machine != "EM_AARCH64"] == []
    tags = {path.name.split(".")[1] for path in libraries if ".cpython" in path.name}
    assert tags == {"cpython-313-aarch64-linux-gnu"}
    newer = {
        (path.name, f"{kind}_{'.'.join(map(str, version))}")
        for path, library in libraries.items()
        for kind, version in library.versions
        if version > SYSTEM_VERSIONS[kind]
    }
    assert newer == set(), "Lambda's libraries are older"
    shipped = {path.name for path in libraries}
    needed = {name for library in libraries.values() for name in library.needs}
    assert needed - shipped <= SYSTEM_LIBRARIES, "neither shipped nor in Lambda"


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
    # The laptop's layers are packed, too, beside their folders.
    return [build / properties["CodeUri"], *((build / layer).with_suffix("") for layer in layers)]


def size(directory: Path) -> int:
    return sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())


def modules(layer: Path) -> set[str]:
    """Return the modules of a layer by their paths, compiled ones without what they are compiled for."""
    found = {path.relative_to(layer) for suffix in ("py", "so") for path in layer.rglob(f"*.{suffix}")}
    return {
        str(path.parent / (path.name if path.suffix == ".py" else path.name.split(".")[0]))
        for path in found
        if path.suffix == ".py" or ".cpython" in path.name or ".abi3" in path.name
    }


class Library(NamedTuple):
    """What a compiled file is made for and asks of the system."""

    machine: str
    needs: set[str]
    versions: set[tuple[str, tuple[int, ...]]]


def read_library(path: Path) -> Library:
    """Read an ELF file: its processor, the libraries it loads and their versions, such as ("GLIBC", (2, 28))."""
    with path.open("rb") as file:
        elf = ELFFile(file)
        dynamic = elf.get_section_by_name(".dynamic")
        needs = {tag.needed for tag in dynamic.iter_tags("DT_NEEDED")}
        names = {
            version.name
            for section in elf.iter_sections()
            if isinstance(section, GNUVerNeedSection)
            for _, versions in section.iter_versions()
            for version in versions
        }
        numbered = (name.partition("_") for name in names if re.fullmatch(r"[A-Z]+_[0-9.]+", name))
        versions = {(kind, tuple(map(int, number.split(".")))) for kind, _, number in numbered}
        return Library(elf["e_machine"], needs, versions)
