"""What can go wrong. Everything here is a :class:`RametError`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Mapping, Optional, Union

if TYPE_CHECKING:
    from .models import CommandResult, ExecResult, RunResult


class RametError(Exception):
    """The base of all errors of this package."""


class TransportError(RametError):
    """The server cannot be reached, or the connection broke before the answer was complete."""


class RequestTimeoutError(TransportError):
    """The server did not answer in time. (Code whose time is over is no error: see ``timed_out`` of its result.)"""


class CodeError(RametError):
    """Raised by ``result.check()``: the code or command did not end well. ``result`` has its output."""

    def __init__(self, message: str, result: "Union[RunResult, ExecResult, CommandResult]") -> None:
        super().__init__(message)
        self.result = result


class ApiError(RametError):
    """The server refused a request (RFC 9457 problem details)."""

    def __init__(self, status: int, title: str, detail: str, request_id: Optional[str] = None, retry_after: Optional[float] = None) -> None:
        super().__init__(detail or title)
        #: The HTTP status.
        self.status = status
        #: The kind of problem in a few words.
        self.title = title
        #: What is wrong and what to do.
        self.detail = detail
        #: Names the request in the server's log.
        self.request_id = request_id
        #: Seconds after which to try again (429 and 503), or None.
        self.retry_after = retry_after

    def __str__(self) -> str:
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.status} {self.title}: {self.detail}{request}"


class BadRequestError(ApiError):
    """400 and other statuses below 500 that have no class of their own: the request cannot be used."""


class AuthenticationError(ApiError):
    """401: there is no key, or it is not accepted."""


class PermissionDeniedError(ApiError):
    """403: the key lacks a scope."""


class NotFoundError(ApiError):
    """404: no such sandbox, process, file or snapshot; or it is over."""


class ConflictError(ApiError):
    """409: not in this state, such as a directory that is not empty."""


class TooLargeError(ApiError):
    """413: more than the server takes in one request."""


class RateLimitError(ApiError):
    """429: the key does more than it may; see ``retry_after``."""


class ServerError(ApiError):
    """500 and above: the server failed."""


class UnavailableError(ServerError):
    """503: the server is full, or about to end; see ``retry_after``."""


class StorageFullError(ServerError):
    """507: the memory of the sandbox is full."""


def error_of_event(problem: Mapping[str, Any]) -> ApiError:
    """The error that an event tells of: the answer had begun when it happened, such as that the sandbox was paused."""
    status = problem.get("status")
    return error_of(status if isinstance(status, int) else 500, {}, json.dumps(problem).encode())


_BY_STATUS = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    413: TooLargeError,
    429: RateLimitError,
    503: UnavailableError,
    507: StorageFullError,
}


def error_of(status: int, headers: Mapping[str, str], body: bytes) -> ApiError:
    """The error that an answer tells of. ``headers`` has names in lower case."""
    title, detail, request_id = f"HTTP {status}", "", headers.get("x-request-id")
    try:
        problem = json.loads(body)
        if isinstance(problem, dict):
            title = str(problem.get("title") or title)
            detail = str(problem.get("detail") or problem.get("error") or "")
            request_id = problem.get("request_id") or request_id
    except ValueError:
        # Something between here and the server has answered.
        detail = body[:500].decode("utf-8", "replace").strip()
    retry_after: Optional[float] = None
    try:
        retry_after = float(headers["retry-after"])
    except (KeyError, ValueError):
        pass
    kind = _BY_STATUS.get(status, ServerError if status >= 500 else BadRequestError)
    return kind(status, title, detail, request_id, retry_after)
