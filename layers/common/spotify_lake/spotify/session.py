"""Sends requests to Spotify, only where they are addressed, and caps the total response time."""

import contextlib
import threading
import time
from typing import Any, override
from urllib.parse import urlsplit

import requests


class Redirected(requests.RequestException):
    """A response asks to send the request elsewhere."""


class PromptSession(requests.Session):
    """A session that follows no redirect and abandons a response which is not complete within the request's timeout.

    Requests carry the sign-in: access tokens in a header, refresh tokens and secrets in the body, which a redirect
    would send to another host.

    The timeout alone limits the time between two pieces, so a slow response could take forever. An abandoned response
    raises a requests exception, as a lost connection does.
    """

    @override
    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request and read the whole response; `timeout` in seconds is required.

        Raises
        ------
        Redirected
            The response is a redirect.
        """
        deadline = time.monotonic() + options["timeout"]
        response = super().send(request, **options | {"stream": True, "allow_redirects": False})

        def give_up() -> None:
            # The response may just have been completed.
            with contextlib.suppress(RuntimeError, ValueError, OSError):
                response.raw.shutdown()

        timer = threading.Timer(max(0.0, deadline - time.monotonic()), give_up)
        timer.daemon = True
        timer.start()
        try:
            response.content  # noqa: B018 - reads it
        finally:
            timer.cancel()
        if response.is_redirect:
            host = urlsplit(response.headers["location"]).hostname
            raise Redirected(f"a redirect to {host or 'another address'} is not followed", response=response)
        return response
