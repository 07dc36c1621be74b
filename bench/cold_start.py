"""What a cold start imports and how long the imports take, with and without compiled modules in the layers."""

from __future__ import annotations

import statistics
from typing import Final

from bench.finding import Finding, Measured, at_most
from bench.isolated import ROOT, Used, lambda_python

IMPORTS: Final = {
    "awswrangler": "import awswrangler",
    "spotipy": "import spotipy, boto3",
    "transform": "import app",
    "extract": "import app",
    "report": "import app",
}
_LIST: Final = """
import sys as _sys
_tops = {name.split(".")[0] for name in _sys.modules} - set(_sys.stdlib_module_names)
print(*sorted(name for name in _tops if not name.startswith("_")))
"""


def measure(*, quick: bool) -> Measured:
    """Compare the CPU seconds of imports, each in its own Python process, in turns."""
    turns = 1 if quick else 9
    with lambda_python() as python, lambda_python(compiled=False) as uncompiled:
        used: dict[str, list[Used]] = {name: [] for name in IMPORTS}
        plain: dict[str, list[Used]] = {name: [] for name in ("transform", "extract")}
        for _ in range(turns):
            for name, statement in IMPORTS.items():
                folder = ROOT / "functions" / name
                used[name].append(python.run(statement + _LIST, [folder]))
                if name in plain:
                    plain[name].append(uncompiled.run(statement, [folder]))
    seconds = {name: statistics.median(run.cpu_s for run in runs) for name, runs in used.items()}
    before = {name: statistics.median(run.cpu_s for run in runs) for name, runs in plain.items()}
    findings = [
        at_most(
            "Cold start: imports of transform relative to `import awswrangler` alone",
            seconds["transform"] / seconds["awswrangler"],
            1.15,
            "×",
        ),
        at_most(
            "Cold start: imports of extract relative to `import spotipy, boto3`",
            seconds["extract"] / seconds["spotipy"],
            1.2,
            "×",
        ),
        *(
            Finding(
                f"Cold start: imports of {name} without compiled modules in the layers",
                f"{before[name] / seconds[name]:.3g} ×",
            )
            for name in before
        ),
    ]
    notes = [
        f"A cold start of {name} imports, besides the standard library: {used[name][0].output.strip()}."
        for name in ("extract", "transform", "report")
    ]
    numbers = {f"import_{name}_cpu_s": seconds[name] for name in ("extract", "transform", "report")}
    return Measured(findings, numbers, notes)
