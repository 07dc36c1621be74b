"""Render the report as one self-contained HTML file: style, script, Chart.js and data are inline."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import html
import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise
from pathlib import Path
from string import Template
from typing import Final

import msgspec
from msgspec.structs import replace

from spotify_lake.report.content import Content
from spotify_lake.report.rows import columns, runs

_ASSETS: Final = Path(__file__).parent / "assets"
# In this order. At load time, a file may use only earlier files; inside functions it may use all of them.
SCRIPT_FILES: Final = (
    "data",
    "text",
    "elements",
    "address",
    "lookup",
    "heard",
    "tables",
    "plots",
    "positions",
    "changes",
    "artists",
    "distributions",
    "overview",
    "playlist",
    "forecasts",
    "charts",
    "details",
    "listening",
    "listening_songs",
    "start",
)
# Characters that could end a script element, or a line in older JavaScript, become \uXXXX escapes.
_UNSAFE_IN_SCRIPT: Final = {ord(sign): f"\\u{ord(sign):04x}" for sign in "<>&\u2028\u2029"}


def render(content: Content, generated_at: dt.datetime) -> bytes:
    """Return the page.

    Parameters
    ----------
    content
        What the page shows.
    generated_at
        Time of writing, shown in the footer.

    Returns
    -------
    bytes
        HTML in UTF-8. The same content and time give the same bytes.
    """
    style, chart, code = _asset("report.css"), _asset("vendor/chart.umd.min.js"), _script()
    policy = (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:;"
        f" style-src {_source(style)}; script-src {_source(chart)} {_source(code)}"
    )
    data = msgspec.json.encode(
        {"generated_at": generated_at.astimezone(dt.UTC), "columns": columns(), "content": _packed(content)}
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


def _packed(content: Content) -> Content:
    """Return the content with the long lists of playlists as runs, and days as runs of the gaps between them."""
    return replace(
        content,
        playlists=[
            replace(
                playlist,
                days=runs(_gaps(playlist.days)),
                samples=runs(_gaps(playlist.samples)),
                counts=runs(playlist.counts),
                entered=runs(playlist.entered),
                left=runs(playlist.left),
            )
            for playlist in content.playlists
        ],
    )


def _gaps(days: Sequence[int]) -> list[int]:
    """Return the first day, and how far each of the others is from the day before."""
    return [day - before for before, day in pairwise([0, *days])]


def _inline_json(data: bytes) -> str:
    """Escape JSON for use inside a script element, which it must not be able to end."""
    return data.decode().translate(_UNSAFE_IN_SCRIPT)


@cache
def _script() -> str:
    """Return the script: all its files in one function scope, hidden from the rest of the page."""
    code = "\n".join(_asset(f"js/{name}.js") for name in SCRIPT_FILES)
    return f'"use strict";\n(() => {{\n{code}}})();\n'


@cache
def _asset(name: str) -> str:
    text = (_ASSETS / name).read_text(encoding="utf-8")
    # The page has no source map; with this comment, developer tools would look for one.
    return re.sub(r"\n//# sourceMappingURL=\S*\s*$", "\n", text)


def _source(text: str) -> str:
    """Return the content security policy source that allows exactly this text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
