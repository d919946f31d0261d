"""HTTP/1.1 with connections that are kept, over http.client."""

from __future__ import annotations

import http.client
import json
import select
import socket
import ssl
import threading
import time
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Tuple, TypeVar, Union

from ._address import Address, headers_of
from ._api import Call
from ._events import Event, EventParser
from .errors import ApiError, RequestTimeoutError, TransportError, error_of, error_of_event

T = TypeVar("T")
#: A body: bytes, or pieces that are sent as they come.
Body = Union[None, bytes, Iterable[bytes]]

#: The server sends something at least every 15 seconds in streams.
STREAM_SILENCE = 60.0
LONGEST_PAUSE = 10.0


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Response:
    """An answer whose body comes as it is read. Closing it before its end ends the connection."""

    def __init__(self, transport: "Transport", connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        self._transport, self._connection, self._response = transport, connection, response

    def read(self, size: int = -1) -> bytes:
        """Up to so many bytes; none: the end."""
        try:
            return self._response.read() if size < 0 else self._response.read(size)
        except Exception as error:
            self._connection.close()
            _raise_translated(error)
            raise

    def events(self) -> Iterator[Event]:
        """Server-sent events."""
        parser = EventParser()
        while True:
            try:
                piece = self._response.read1(65536)
            except Exception as error:
                self._connection.close()
                _raise_translated(error)
                raise
            if not piece:
                return
            for event in parser.feed(piece):
                if event[0] == "error":
                    raise error_of_event(event[1])
                yield event

    def close(self) -> None:
        """Gives the connection back, if all was read."""
        if self._response.isclosed():
            self._transport.give_back(self._connection, self._response)
        else:
            self._connection.close()

    def __enter__(self) -> "Response":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Transport:
    """Requests to one server; can be used from several threads."""

    def __init__(self, address: Address, key: Optional[str], timeout: float, retries: int) -> None:
        self._address, self._timeout, self._retries = address, timeout, retries
        self._headers = headers_of(key)
        self._idle: List[http.client.HTTPConnection] = []
        self._lock = threading.Lock()
        self._tls = ssl.create_default_context() if address.secure else None

    def call(self, call: "Call[T]") -> T:
        """Makes a request and reads its answer."""
        body = None if call.body is None else json.dumps(call.body).encode()
        with self.send(call.method, call.target, body, timeout=self._timeout + call.wait) as response:
            content = response.read()
        return call.parse(json.loads(content) if content else None)

    def events(self, method: str, target: str, body: Optional[Mapping[str, Any]] = None) -> Response:
        """Begins a stream of events."""
        return self.send(method, target, None if body is None else json.dumps(body).encode(), accept="text/event-stream", timeout=max(self._timeout, STREAM_SILENCE))

    def send(
        self, method: str, target: str, body: Body = None, *, content_type: str = "application/json", accept: Optional[str] = None, timeout: Optional[float] = None,
        repeatable: bool = True,
    ) -> Response:
        """Makes a request; the answer is good, or an ApiError is raised. A server that is busy is asked again."""
        attempt = 0
        while True:
            connection, response = self._exchange(method, target, body, content_type, accept, self._timeout if timeout is None else timeout)
            if response.status < 400:
                return Response(self, connection, response)
            error = self._error(connection, response)
            # 429 and 503 with Retry-After: nothing was done.
            if attempt >= self._retries or not repeatable or error.status not in (429, 503) or error.retry_after is None:
                raise error
            attempt += 1
            time.sleep(min(error.retry_after, LONGEST_PAUSE))

    def alone(self, method: str, target: str) -> None:
        """A request with a connection of its own and without any lock. Nobody looks at the answer."""
        connection = self._connect(5.0)
        try:
            connection.request(method, self._address.prefix + target, headers=dict(self._headers, Host=self._address.authority))
            connection.getresponse().read()
        finally:
            connection.close()

    def __del__(self) -> None:
        for connection in getattr(self, "_idle", ()):
            connection.close()

    def close(self) -> None:
        """Ends the connections that wait."""
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def give_back(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> None:
        """Keeps a connection for the next request."""
        if response.will_close or connection.sock is None:
            connection.close()
            return
        with self._lock:
            if len(self._idle) < 64:
                self._idle.append(connection)
                return
        connection.close()

    def _error(self, connection: http.client.HTTPConnection, response: http.client.HTTPResponse) -> ApiError:
        with Response(self, connection, response) as answer:
            return error_of(response.status, {name.lower(): value for name, value in response.getheaders()}, answer.read())

    def _take(self, timeout: float) -> Tuple[http.client.HTTPConnection, bool]:
        while True:
            with self._lock:
                if not self._idle:
                    break
                connection = self._idle.pop()
            # Something to read before anything was asked: the server has closed it.
            if connection.sock is not None and not _readable(connection.sock):
                connection.sock.settimeout(timeout)
                return connection, True
            connection.close()
        return self._connect(timeout), False

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        where = self._address
        if where.socket is not None:
            return _UnixConnection(where.socket, timeout)
        if self._tls is not None:
            return http.client.HTTPSConnection(where.host, where.port, timeout=timeout, context=self._tls)
        return http.client.HTTPConnection(where.host, where.port, timeout=timeout)

    def _exchange(
        self, method: str, target: str, body: Body, content_type: str, accept: Optional[str], timeout: float,
    ) -> Tuple[http.client.HTTPConnection, http.client.HTTPResponse]:
        headers: Dict[str, str] = dict(self._headers, Host=self._address.authority)
        if accept:
            headers["Accept"] = accept
        if body is not None:
            headers["Content-Type"] = content_type
        elif method in ("POST", "PUT", "PATCH"):
            headers["Content-Length"] = "0"
        streamed = body is not None and not isinstance(body, bytes)
        while True:
            connection, reused = self._take(timeout)
            try:
                connection.request(method, self._address.prefix + target, body=body, headers=headers, encode_chunked=streamed)
                return connection, connection.getresponse()
            except Exception as error:
                # A server that refuses an upload answers before it has read all of it.
                early = _early_answer(connection, error) if streamed else None
                if early is not None:
                    return connection, early
                connection.close()
                # A kept connection may end just when it is used. Only what can be done twice is done again.
                if reused and not streamed and method in ("GET", "PUT", "DELETE") and isinstance(error, (http.client.RemoteDisconnected, ConnectionError)):
                    continue
                _raise_translated(error)
                raise
            except BaseException:
                connection.close()
                raise


def _early_answer(connection: http.client.HTTPConnection, error: Exception) -> Optional[http.client.HTTPResponse]:
    if not isinstance(error, (BrokenPipeError, ConnectionResetError)) or connection.sock is None:
        return None
    try:
        response = connection.response_class(connection.sock, method="PUT")
        response.begin()
        response.will_close = True
        return response if response.status >= 400 else None
    except (OSError, http.client.HTTPException):
        return None


def _readable(sock: socket.socket) -> bool:
    try:
        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(sock, select.POLLIN)
            return bool(poll.poll(0))
        return bool(select.select([sock], [], [], 0)[0])
    except (OSError, ValueError):
        return True


def _raise_translated(error: Exception) -> None:
    """Raises the error that callers see, unless that is this one."""
    if isinstance(error, (socket.timeout, TimeoutError)):
        raise RequestTimeoutError("The server did not answer in time.") from error
    if isinstance(error, ConnectionRefusedError):
        raise TransportError("The server cannot be reached: connection refused. Is `ramet serve` running, and RAMET_URL right?") from error
    if isinstance(error, (OSError, http.client.HTTPException)):
        raise TransportError(f"The connection to the server failed: {error or type(error).__name__}") from error
