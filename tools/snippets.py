"""Show the scripts of examples/ in docs/open.md, each as it is run."""

import re
from pathlib import Path
from typing import Final

from tools.pages import filled

ROOT: Final = Path(__file__).parents[1]
PAGE: Final = ROOT / "docs" / "open.md"


def page() -> str:
    """Return docs/open.md; a part called `with_duckdb` is examples/with_duckdb.py without its docstring."""
    scripts = sorted((ROOT / "examples").glob("with_*.py"))
    return filled(PAGE, {script.stem: f"```python\n{_code(script)}\n```" for script in scripts})


def _code(script: Path) -> str:
    return re.sub(r'\A""".*?"""\n+', "", script.read_text(), flags=re.DOTALL).strip()
