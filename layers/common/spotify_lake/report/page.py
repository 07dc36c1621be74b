"""Content to one HTML file that needs nothing else: style, code, charts and data are inside."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import html
import re
from functools import cache
from pathlib import Path
from string import Template
from typing import Final

import msgspec

from spotify_lake.report.content import Content
from spotify_lake.report.rows import columns

_ASSETS: Final = Path(__file__).parent / "assets"
# The script in its order: a file may use what an earlier one has made; functions may use everything.
SCRIPT_FILES: Final = (
    "data",
    "text",
    "elements",
    "tables",
    "plots",
    "positions",
    "changes",
    "artists",
    "distributions",
    "overview",
    "playlist",
    "charts",
    "start",
)
# What could end a script element, or a line in older JavaScript, is written as JSON's \uXXXX.
_UNSAFE_IN_SCRIPT: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def render(content: Content, generated_at: dt.datetime) -> bytes:
    """Return the page.

    Parameters
    ----------
    content
        What it shows.
    generated_at
        When; the page says so.

    Returns
    -------
    bytes
        HTML in UTF-8; the same for the same content and time.
    """
    style, chart, code = _asset("report.css"), _asset("vendor/chart.umd.min.js"), _script()
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:;"
        f" style-src {_source(style)}; script-src {_source(chart)} {_source(code)}"
    )
    data = msgspec.json.encode(
        {"generated_at": generated_at.astimezone(dt.UTC), "columns": columns(), "content": content}
    )
    when = f", {content.last:%-d %B %Y}" if content.last else ""
    return (
        Template(_asset("page.html"))
        .substitute(
            policy=html.escape(policy, quote=True).replace("&#x27;", "'"),
            title=html.escape(f"Spotify Lake{when}"),
            style=style,
            chart=chart,
            code=code,
            data=_inline_json(data),
        )
        .encode()
    )


def _inline_json(data: bytes) -> str:
    """Make JSON that stands in a script element and cannot end it."""
    return data.decode().translate(_UNSAFE_IN_SCRIPT)


@cache
def _script() -> str:
    """Return the files of the script as one, in a scope that the rest of the page cannot see."""
    code = "\n".join(_asset(f"js/{name}.js") for name in SCRIPT_FILES)
    return f'"use strict";\n(() => {{\n{code}}})();\n'


@cache
def _asset(name: str) -> str:
    text = (_ASSETS / name).read_text(encoding="utf-8")
    # The source map is not part of the page; a browser's developer tools would look for it.
    return re.sub(r"\n//# sourceMappingURL=\S*\s*$", "\n", text)


def _source(text: str) -> str:
    """Return what permits exactly this text in a content security policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
