"""Makes text from outside safe to print: what a terminal, a log viewer or a mail would obey becomes visible.

A playlist's name may hold escape sequences that recolor or retitle a terminal, line breaks that fake a message, or
characters that turn the text after them around. Every message for people goes through `printable`, every log line
through `printable_json`. Tables, exported files and events are data and keep the text as it is.
"""

import json
import unicodedata
from collections.abc import Callable
from typing import Final

# Controls (C0, DEL, C1), invisible and bidirectional format characters, surrogates, line and paragraph separators.
_OBEYED: Final = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
# These invisible characters change nothing around them. Emoji, Persian and the scripts of India need them.
_JOINERS: Final = "\u200c\u200d"


def printable(text: str, keep: str = "") -> str:
    r"""Return text in which control and invisible characters are visible escapes.

    Parameters
    ----------
    text
        From anywhere.
    keep
        Characters that stay, such as a line break between paragraphs.

    Returns
    -------
    str
        Escapes are those of Python. A text that has been through it is not changed again.

    Examples
    --------
    >>> printable("X\x1b[31mRED")
    'X\\x1b[31mRED'
    """
    return _replaced(text, keep, lambda sign: sign.encode("unicode_escape").decode())


def printable_json(text: str) -> str:
    """Return the same JSON without control and invisible characters: they become escapes inside its strings.

    Parameters
    ----------
    text
        Compact JSON.
    """
    return _replaced(text, "", lambda sign: json.dumps(sign)[1:-1])


def _replaced(text: str, keep: str, escape: Callable[[str], str]) -> str:
    if text.isprintable():
        return text
    kept = keep + _JOINERS
    return "".join(
        escape(sign) if unicodedata.category(sign) in _OBEYED and sign not in kept else sign for sign in text
    )
