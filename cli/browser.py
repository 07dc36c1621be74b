"""Whether this machine can show a web page."""

from __future__ import annotations

import sys
import webbrowser
from collections.abc import Mapping


def has_browser(environ: Mapping[str, str], platform: str = sys.platform) -> bool:
    """Return whether a graphical browser can be opened on this machine."""
    if platform.startswith("linux") and not {"DISPLAY", "WAYLAND_DISPLAY", "BROWSER"} & environ.keys():
        return False  # a browser found by webbrowser would run in the terminal and cannot show the page
    try:
        webbrowser.get()
    except webbrowser.Error:
        return False
    return True
