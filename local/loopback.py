"""The check that a request to a server on this machine comes from a program here, not from a web page.

A browser lets any page send requests to 127.0.0.1, and a page whose name resolves to 127.0.0.1 (DNS rebinding) may even
read the answers. But a browser cannot be made to lie in three headers: Host is the name in the page's address,
Origin and Sec-Fetch-Site say which page asks.

The port in Host is not compared, because a browser always names the port it connects to.
"""

from __future__ import annotations

from collections.abc import Mapping

HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
# `none`: the person typed the address or opened a link from outside the browser.
_OWN_SITES = frozenset({"none", "same-origin"})


def refusal(headers: Mapping[str, str]) -> str | None:
    """Return the sentence that refuses a request, or None if it may come from a program on this machine.

    Parameters
    ----------
    headers
        The headers of the request, with names in lower case and repeated ones joined by commas.
    """
    host = headers.get("host", "")
    if not is_loopback(host):
        return f"This server answers to 127.0.0.1 and localhost only, not to {host!r}."
    origin = headers.get("origin")
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return f"This server answers no web page of another origin, such as {origin!r}."
    site = headers.get("sec-fetch-site")
    if site is not None and site not in _OWN_SITES:
        return "This server answers no web page of another site."
    return None


def is_loopback(host: str) -> bool:
    """Return whether the header Host names this machine: a loopback address, localhost or a name below it.

    S3 addresses a bucket as ``<bucket>.localhost``. Browsers resolve names below localhost to this machine only.
    """
    name, colon, port = host.lower().rpartition(":")
    if not colon or port.endswith("]"):  # there is no port; the colon is part of an IPv6 address
        name = host.lower()
    elif not (port.isascii() and port.isdigit()):
        return False
    return name in HOSTS or (name.endswith(".localhost") and all(name.split(".")))
