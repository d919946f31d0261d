"""HTTP/1.1 (RFC 9112) over asyncio streams, with connections that are kept. A request that is cancelled ends its connection: the server then ends the code."""

from __future__ import annotations

import asyncio
import json
import ssl
from typing import Any, AsyncIterable, AsyncIterator, Awaitable, Dict, List, Mapping, Optional, TypeVar, Union

from .._address import Address, headers_of
from .._api import Call
from .._events import Event, EventParser
from .._transport import LONGEST_PAUSE, STREAM_SILENCE
from ..errors import ApiError, RequestTimeoutError, TransportError, error_of, error_of_event

T = TypeVar("T")
Body = Union[None, bytes, AsyncIterable[bytes]]
_LARGEST_HEAD = 64 << 10


class _Connection:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.loop = asyncio.get_running_loop()

    @property
    def is_usable(self) -> bool:
        return self.loop is asyncio.get_running_loop() and not self.writer.is_closing() and not self.reader.at_eof()

    def close(self) -> None:
        # The loop of another asyncio.run may be over.
        if not self.loop.is_closed():
            self.writer.close()


class AsyncResponse:
    """An answer whose body comes as it is read. Closing it before its end ends the connection."""

    def __init__(self, transport: "AsyncTransport", connection: _Connection, status: int, headers: Dict[str, str], timeout: float) -> None:
        self.status, self.headers = status, headers
        self._transport, self._connection, self._timeout = transport, connection, timeout
        self._chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        length = headers.get("content-length")
        self._left: Optional[int] = 0 if status in (204, 304) or self._chunked else None if length is None else int(length)
        self._ended = status in (204, 304) or (not self._chunked and self._left == 0)

    async def read(self, size: int = -1) -> bytes:
        """Up to so many bytes; none: the end. Without a size: all."""
        if size >= 0:
            return await self._some(size)
        pieces = []
        while True:
            piece = await self._some(65536)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)

    async def events(self) -> AsyncIterator[Event]:
        """Server-sent events."""
        parser = EventParser()
        while True:
            piece = await self._some(65536)
            if not piece:
                return
            for event in parser.feed(piece):
                if event[0] == "error":
                    raise error_of_event(event[1])
                yield event

    def close(self) -> None:
        """Gives the connection back, if all was read."""
        if self._ended and self.headers.get("connection", "").lower() != "close":
            self._transport.give_back(self._connection)
        else:
            self._connection.close()
        self._ended = True

    async def __aenter__(self) -> "AsyncResponse":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def _some(self, size: int) -> bytes:
        try:
            return await limited(self._next(size), self._timeout)
        except BaseException as error:
            self._connection.close()
            raise_translated(error)
            raise

    async def _next(self, size: int) -> bytes:
        reader = self._connection.reader
        if self._ended:
            return b""
        if self._chunked and self._left == 0:
            line = await reader.readuntil(b"\n")
            self._left = int(line.split(b";")[0], 16)
            if self._left == 0:
                while (await reader.readuntil(b"\n")).strip():
                    pass
                self._ended = True
                return b""
        piece = await reader.read(size if self._left is None else min(size, self._left))
        if self._left is None:
            # Without a length the body ends with the connection.
            self._ended = not piece
            if self._ended:
                self.headers["connection"] = "close"
            return piece
        if not piece:
            raise asyncio.IncompleteReadError(b"", self._left)
        self._left -= len(piece)
        if self._left == 0:
            if self._chunked:
                await reader.readexactly(2)
            else:
                self._ended = True
        return piece


class AsyncTransport:
    """Requests to one server, from one event loop at a time."""

    def __init__(self, address: Address, key: Optional[str], timeout: float, retries: int) -> None:
        self._address, self._timeout, self._retries = address, timeout, retries
        self._headers = headers_of(key)
        self._idle: List[_Connection] = []
        self._tls = ssl.create_default_context() if address.secure else None

    async def call(self, call: "Call[T]") -> T:
        """Makes a request and reads its answer."""
        body = None if call.body is None else json.dumps(call.body).encode()
        async with await self.send(call.method, call.target, body, timeout=self._timeout + call.wait) as response:
            content = await response.read()
        return call.parse(json.loads(content) if content else None)

    async def events(self, method: str, target: str, body: Optional[Mapping[str, Any]] = None) -> AsyncResponse:
        """Begins a stream of events."""
        content = None if body is None else json.dumps(body).encode()
        return await self.send(method, target, content, accept="text/event-stream", timeout=max(self._timeout, STREAM_SILENCE))

    async def send(
        self, method: str, target: str, body: Body = None, *, content_type: str = "application/json", accept: Optional[str] = None, timeout: Optional[float] = None,
    ) -> AsyncResponse:
        """Makes a request; the answer is good, or an ApiError is raised. A server that is busy is asked again."""
        attempt = 0
        while True:
            response = await self._exchange(method, target, body, content_type, accept, self._timeout if timeout is None else timeout)
            if response.status < 400:
                return response
            async with response:
                error: ApiError = error_of(response.status, response.headers, await response.read())
            # 429 and 503 with Retry-After: nothing was done. A body that streams cannot be sent again.
            again = error.status in (429, 503) and error.retry_after is not None and (body is None or isinstance(body, bytes))
            if attempt >= self._retries or not again:
                raise error
            attempt += 1
            await asyncio.sleep(min(error.retry_after or 0, LONGEST_PAUSE))

    def close(self) -> None:
        """Ends the connections that wait."""
        idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def give_back(self, connection: _Connection) -> None:
        """Keeps a connection for the next request."""
        if connection.is_usable and len(self._idle) < 64:
            self._idle.append(connection)
        else:
            connection.close()

    async def _connect(self) -> _Connection:
        where = self._address
        if where.socket is not None:
            return _Connection(*await asyncio.open_unix_connection(where.socket, limit=_LARGEST_HEAD))
        return _Connection(*await asyncio.open_connection(where.host, where.port, ssl=self._tls, limit=_LARGEST_HEAD))

    async def _exchange(self, method: str, target: str, body: Body, content_type: str, accept: Optional[str], timeout: float) -> AsyncResponse:
        while True:
            connection: Optional[_Connection] = None
            while self._idle and connection is None:
                connection = self._idle.pop()
                if not connection.is_usable:
                    connection.close()
                    connection = None
            reused = connection is not None
            try:
                if connection is None:
                    connection = await limited(self._connect(), timeout)
                return await self._on(connection, method, target, body, content_type, accept, timeout)
            except BaseException as error:
                if connection is not None:
                    connection.close()
                # A kept connection may end just when it is used. Only what can be done twice is done again.
                broken = isinstance(error, (asyncio.IncompleteReadError, ConnectionError))
                if broken and reused and method in ("GET", "PUT", "DELETE") and (body is None or isinstance(body, bytes)):
                    continue
                raise_translated(error)
                raise

    async def _on(self, connection: _Connection, method: str, target: str, body: Body, content_type: str, accept: Optional[str], timeout: float) -> AsyncResponse:
        headers = dict(self._headers, Host=self._address.authority)
        if accept:
            headers["Accept"] = accept
        if body is not None:
            headers["Content-Type"] = content_type
        if body is None or isinstance(body, bytes):
            if body is not None or method in ("POST", "PUT", "PATCH"):
                headers["Content-Length"] = str(len(body or b""))
        else:
            headers["Transfer-Encoding"] = "chunked"
        head = f"{method} {self._address.prefix}{target} HTTP/1.1\r\n" + "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\n"
        connection.writer.write(head.encode("ascii") + (body if isinstance(body, bytes) else b""))
        answer = asyncio.ensure_future(self._answer(connection, timeout))
        complete = False
        try:
            if body is not None and not isinstance(body, bytes):
                complete = await self._send_pieces(connection.writer, body, answer, timeout)
            else:
                await limited(connection.writer.drain(), timeout)
                complete = True
            response = await limited(answer, timeout)
            if not complete:
                response.headers["connection"] = "close"
            return response
        except ConnectionError:
            # A server that refuses an upload answers before it has read all of it.
            if answer.done() and not answer.cancelled() and answer.exception() is None:
                answer.result().headers["connection"] = "close"
                return answer.result()
            raise
        finally:
            if not answer.done():
                answer.cancel()
                await asyncio.gather(answer, return_exceptions=True)
            elif not answer.cancelled():
                answer.exception()  # It is known.

    async def _send_pieces(self, writer: asyncio.StreamWriter, body: AsyncIterable[bytes], answer: "asyncio.Future[AsyncResponse]", timeout: float) -> bool:
        async for piece in body:
            if answer.done():
                return False
            if piece:
                writer.write(b"%x\r\n%b\r\n" % (len(piece), piece))
                await limited(writer.drain(), timeout)
        writer.write(b"0\r\n\r\n")
        await limited(writer.drain(), timeout)
        return True

    async def _answer(self, connection: _Connection, timeout: float) -> AsyncResponse:
        while True:
            head = (await connection.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            parts = head[0].split(" ", 2)
            if len(parts) < 2 or not parts[0].startswith("HTTP/1.") or not parts[1].isdigit():
                raise TransportError(f"What answers there is no HTTP/1.1 server: {head[0][:100]!r}")
            headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
            if int(parts[1]) >= 200:
                return AsyncResponse(self, connection, int(parts[1]), headers, timeout)


async def limited(work: "Awaitable[T]", timeout: float) -> T:
    """As asyncio.wait_for, whose TimeoutError has had two names."""
    try:
        return await asyncio.wait_for(work, timeout)
    except asyncio.TimeoutError as error:
        raise RequestTimeoutError("The server did not answer in time.") from error


def raise_translated(error: BaseException) -> None:
    """Raises the error that callers see, unless that is this one."""
    if isinstance(error, ConnectionRefusedError):
        raise TransportError("The server cannot be reached: connection refused. Is `ramet serve` running, and RAMET_URL right?") from error
    if isinstance(error, (OSError, EOFError, asyncio.LimitOverrunError, ValueError)):
        raise TransportError(f"The connection to the server failed: {error or type(error).__name__}") from error
