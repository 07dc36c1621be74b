"""Sending requests, with a limit to the time that a whole answer may take."""

import contextlib
import threading
import time
from typing import Any, override

import requests


class PromptSession(requests.Session):
    """Gives up an answer that is not complete when the request's timeout is over.

    The timeout alone limits the time between two pieces, so an answer that trickles could take for ever.
    What is given up ends as a requests exception, as a lost connection does.
    """

    @override
    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """Send a request and read its answer; `timeout` in seconds is needed."""
        deadline = time.monotonic() + options["timeout"]
        response = super().send(request, **options | {"stream": True})

        def give_up() -> None:
            # It may have arrived in this very moment.
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
