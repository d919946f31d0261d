"""The server, for asyncio programs."""

from __future__ import annotations

import asyncio
import weakref
from typing import Any, AsyncIterator, Callable, Dict, Iterable, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from .. import _api
from .._address import Address, key_of
from .._api import Call, Content
from ..errors import TransportError
from ..models import ExecResult, SandboxInfo, Snapshot, Template
from .transport import AsyncTransport

T = TypeVar("T")

#: Called with what is printed, as it is printed; a coroutine function is awaited.
Listener = Optional[Callable[[str], object]]


async def tell(listener: Optional[Callable[[str], object]], text: str) -> None:
    """Calls it, if there is one, and waits for it, if it is a coroutine function."""
    if listener is not None:
        answer = listener(text)
        if asyncio.iscoroutine(answer) or isinstance(answer, asyncio.Future):
            await answer


class AsyncClient:
    """A server and its connections, as :class:`ramet.Client`; for one event loop. Cancelling a call ends its connection, and the server then ends the code."""

    def __init__(self, url: Optional[str] = None, api_key: Optional[str] = None, *, timeout: float = 60.0, retries: int = 2) -> None:
        self._transport = AsyncTransport(Address.parse(url), key_of(api_key), timeout, retries)

    async def exec(
        self, code: str, *, language: Optional[str] = None, template: Optional[str] = None, timeout_seconds: Optional[float] = None, stdin: Optional[str] = None,
        args: Optional[Sequence[str]] = None, env: Optional[Mapping[str, Optional[str]]] = None, files: Optional[Mapping[str, Content]] = None, memory_mb: Optional[int] = None,
        on_stdout: Listener = None, on_stderr: Listener = None,
    ) -> ExecResult:
        """Runs code in a fork of its own, of which nothing is left.

        :param on_stdout: called with what is printed, as it is printed; a coroutine function is awaited.
        """
        call = _api.exec_code(_api.exec_body(code, language, template, timeout_seconds, stdin, args, env, files, memory_mb))
        if on_stdout is None and on_stderr is None:
            return await self._call(call)
        return await self._stream(call, _api.exec_end, on_stdout, on_stderr)

    async def exec_batch(self, codes: Iterable[Union[str, Mapping[str, Any]]], **common: Any) -> List[ExecResult]:
        """Runs several pieces of code, each in a fork of its own. Results are in the same order."""
        return await self._call(_api.exec_batch(_api.items(codes, **common)))

    async def health(self) -> Dict[str, Any]:
        """Status, version and templates of the server. Needs no key."""
        return await self._call(_api.health())

    async def metrics(self) -> str:
        """Metrics of the server in Prometheus's text format."""
        async with await self._transport.send("GET", "/v1/metrics", accept="text/plain") as response:
            return (await response.read()).decode()

    async def sandboxes(self, *, metadata: Optional[Mapping[str, str]] = None, page_size: Optional[int] = None) -> AsyncIterator[SandboxInfo]:
        """All live sandboxes of the key, the oldest first; ``metadata`` shows only those that have it noted."""
        cursor: Optional[str] = None
        while True:
            page = await self._call(_api.list_page(page_size, cursor, metadata))
            for one in page.sandboxes:
                yield one
            cursor = page.next_cursor
            if cursor is None:
                return

    async def get_sandbox(self, id: str) -> SandboxInfo:
        """What is known of a sandbox."""
        return await self._call(_api.get(id))

    async def delete_sandbox(self, id: str) -> None:
        """Ends a sandbox."""
        await self._call(_api.delete(id))

    async def snapshots(self) -> List[Snapshot]:
        """Saved sandboxes."""
        return await self._call(_api.snapshots())

    async def get_snapshot(self, id: str) -> Snapshot:
        """What is known of a saved sandbox."""
        return await self._call(_api.get_snapshot(id))

    async def delete_snapshot(self, snapshot: Union[str, Snapshot]) -> None:
        """Forgets a saved sandbox. Sandboxes that were made of it live on."""
        await self._call(_api.delete_snapshot(snapshot if isinstance(snapshot, str) else snapshot.id))

    async def templates(self) -> List[Template]:
        """What sandboxes can be forked from: the server's templates, then the key's own."""
        return await self._call(_api.templates())

    async def delete_template(self, name: str) -> None:
        """Removes one of the key's own. Sandboxes that were forked from it live on."""
        await self._call(_api.delete_template(name))

    async def close(self) -> None:
        """Closes connections that wait. The client can be used again."""
        self._transport.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _call(self, call: "Call[T]") -> T:
        return await self._transport.call(call)

    async def _stream(self, call: "Call[T]", parse: Callable[[Mapping[str, Any], str, str], T], on_stdout: Listener, on_stderr: Listener) -> T:
        """Code whose output is told as it comes."""
        end, stdout, stderr = await self._follow("POST", call.target, call.body, "end", on_stdout, on_stderr)
        if end is None:
            raise TransportError("The stream ended before the code did.")
        return parse(end, stdout, stderr)

    async def _follow(self, method: str, target: str, body: Any, last: str, on_stdout: Listener, on_stderr: Listener) -> Tuple[Optional[Mapping[str, Any]], str, str]:
        """Tells output as it comes. Gives the event that says what came of it, if there was one, and all output."""
        printed: Dict[str, List[str]] = {"stdout": [], "stderr": []}
        listeners = {"stdout": on_stdout, "stderr": on_stderr}
        end: Optional[Mapping[str, Any]] = None
        async with await self._transport.events(method, target, body) as stream:
            async for name, data in stream.events():
                if name in printed:
                    printed[name].append(data["text"])
                    await tell(listeners[name], data["text"])
                elif name == last:
                    end = data
        return end, "".join(printed["stdout"]), "".join(printed["stderr"])


# Connections belong to an event loop, and go with it.
_shared: "weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, Dict[Any, AsyncClient]]" = weakref.WeakKeyDictionary()


def client_for(client: Optional[AsyncClient], url: Optional[str], api_key: Optional[str]) -> AsyncClient:
    """The client that was given, or the one that all share in this event loop that name the same server and key."""
    if client is not None:
        if url is not None or api_key is not None:
            raise TypeError("Give either client, or url and api_key.")
        return client
    clients = _shared.setdefault(asyncio.get_running_loop(), {})
    where = (Address.parse(url), key_of(api_key))
    if where not in clients:
        clients[where] = AsyncClient(url, api_key)
    return clients[where]
