"""Sends requests and caps the total response time."""

import contextlib
import threading
import time
from typing import Any, override

import requests


class PromptSession(requests.Session):
    """A session that abandons a response which is not complete within the request's timeout.

    The timeout alone limits the time between two pieces, so a slow response could take forever. An abandoned response
    raises a requests exception, as a lost connection does.
    """

    @override
    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request and read the whole response; `timeout` in seconds is required."""
        deadline = time.monotonic() + options["timeout"]
        response = super().send(request, **options | {"stream": True})

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
        return response
