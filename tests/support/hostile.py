"""A name that attacks whoever shows it, and what is left of it where it is shown."""

import re
import unicodedata
from typing import Final

# Colors, the terminal's title, a bell, NUL, C1, overrides of the direction, an invisible character, a faked line.
NAME: Final = "X\x1b[31mRED\x1b]0;pwned\x07\x00\x9b5n\u202eevil\u2066\u200b\x7f\r\n✓ all is well\u2028\t"
VISIBLE: Final = r"X\x1b[31mRED\x1b]0;pwned\x07\x00\x9b5n\u202eevil\u2066\u200b\x7f\r\n✓ all is well\u2028\t"
START: Final = (
    r"X\x1b[31mRED\x1b]0;pwned\x07\x00\x9b5n\u202eevil\u2066\u200b\x7f"  # where white space is collapsed
)
_OWN: Final = re.compile(r"\x1b\[(?:\d+(?:;\d+)*)?m")  # the colors that the commands set


def obeyed(text: str) -> set[str]:
    """Return the characters of a text that a terminal obeys, beside the line breaks and colors of the commands."""
    assert "\x1b[31mRED" not in text
    plain = _OWN.sub("", text).replace("\n", "")
    return {sign for sign in plain if unicodedata.category(sign) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}


def is_shown(text: str, visible: str = VISIBLE) -> bool:
    """Return whether the name can be read in what was shown, wherever its lines were broken."""
    return _unbroken(visible) in _unbroken(_OWN.sub("", text))


def _unbroken(text: str) -> str:
    return "".join(text.split())
