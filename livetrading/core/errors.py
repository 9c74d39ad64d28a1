"""Exceptions named by what the operator does next.

Every message is one clear sentence that says what is wrong and what to do.
The command line prints it and exits with ``exit_code``; REST answers with
``http_status``.
"""


class LivetradingError(Exception):
    """Root of every error that this package raises on purpose."""

    exit_code = 1
    http_status = 400


class BadInput(LivetradingError):
    """The caller gave a value that cannot be used: correct it and call again."""


class BadBars(BadInput):
    """A bar series is not fit for use: mend the file or choose another source."""


class NotFound(LivetradingError):
    """The named thing does not exist: list what exists and choose."""

    http_status = 404


class Conflict(LivetradingError):
    """The state forbids the request: change the state first."""

    http_status = 409


class Refused(LivetradingError):
    """A rule of safety says no: the message names the rule and the way past it."""

    http_status = 409


class Unavailable(LivetradingError):
    """Something outside does not answer now: try again later."""

    http_status = 503


class Damaged(LivetradingError):
    """A file was changed from outside: look at it before anything goes on."""

    http_status = 503
