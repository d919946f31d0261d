"""The server, for programs that block."""

from __future__ import annotations

from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union

from . import _api
from ._address import Address, key_of
from ._api import Call, Content
from ._transport import Transport
from .errors import TransportError
from .models import ExecResult, SandboxInfo, Snapshot, Template

T = TypeVar("T")

#: Called with what is printed, as it is printed. An exception of it ends the code.
Listener = Optional[Callable[[str], object]]


class Client:
    """A server and its connections. Safe to use from several threads. Leaving it as a context manager closes its connections.

    :param url: ``http://HOST:PORT``, ``https://HOST`` or ``unix:/path``; else the environment's RAMET_URL, else http://127.0.0.1:8080.
    :param api_key: a key of ``ramet key create``; else the environment's RAMET_API_KEY. A server in development needs none.
    :param timeout: seconds that the server may be silent beyond the time that code was given.
    :param retries: how often a request is made again that was refused because the server was busy (429 and 503 with Retry-After).
    """

    def __init__(self, url: Optional[str] = None, api_key: Optional[str] = None, *, timeout: float = 60.0, retries: int = 2) -> None:
        self._transport = Transport(Address.parse(url), key_of(api_key), timeout, retries)

    def exec(
        self, code: str, *, language: Optional[str] = None, template: Optional[str] = None, timeout_seconds: Optional[float] = None, stdin: Optional[str] = None,
        args: Optional[Sequence[str]] = None, env: Optional[Mapping[str, Optional[str]]] = None, files: Optional[Mapping[str, Content]] = None, memory_mb: Optional[int] = None,
        on_stdout: Listener = None, on_stderr: Listener = None,
    ) -> ExecResult:
        """Runs code in a fork of its own, of which nothing is left.

        :param files: files to write before, by path. :param env: None removes a variable. :param memory_mb: limit for programs and the files that they write.
        :param on_stdout: called with what is printed, as it is printed. An exception of it ends the code.
        """
        call = _api.exec_code(_api.exec_body(code, language, template, timeout_seconds, stdin, args, env, files, memory_mb))
        if on_stdout is None and on_stderr is None:
            return self._call(call)
        return self._stream(call, _api.exec_end, on_stdout, on_stderr)

    def exec_batch(self, codes: Iterable[Union[str, Mapping[str, Any]]], **common: Any) -> List[ExecResult]:
        """Runs several pieces of code, each in a fork of its own. Results are in the same order.

        :param codes: code, or dictionaries of exec's arguments (``{"code": ..., "stdin": ...}``). :param common: arguments of exec for all.
        """
        return self._call(_api.exec_batch(_api.items(codes, **common)))

    def health(self) -> Dict[str, Any]:
        """Status, version and templates of the server. Needs no key."""
        return self._call(_api.health())

    def metrics(self) -> str:
        """Metrics of the server in Prometheus's text format."""
        with self._transport.send("GET", "/v1/metrics", accept="text/plain") as response:
            return response.read().decode()

    def sandboxes(self, *, metadata: Optional[Mapping[str, str]] = None, page_size: Optional[int] = None) -> Iterator[SandboxInfo]:
        """All live sandboxes of the key, the oldest first; ``metadata`` shows only those that have it noted."""
        cursor: Optional[str] = None
        while True:
            page = self._call(_api.list_page(page_size, cursor, metadata))
            yield from page.sandboxes
            cursor = page.next_cursor
            if cursor is None:
                return

    def get_sandbox(self, id: str) -> SandboxInfo:
        """What is known of a sandbox."""
        return self._call(_api.get(id))

    def delete_sandbox(self, id: str) -> None:
        """Ends a sandbox."""
        self._call(_api.delete(id))

    def snapshots(self) -> List[Snapshot]:
        """Saved sandboxes."""
        return self._call(_api.snapshots())

    def get_snapshot(self, id: str) -> Snapshot:
        """What is known of a saved sandbox."""
        return self._call(_api.get_snapshot(id))

    def delete_snapshot(self, snapshot: Union[str, Snapshot]) -> None:
        """Forgets a saved sandbox. Sandboxes that were made of it live on."""
        self._call(_api.delete_snapshot(snapshot if isinstance(snapshot, str) else snapshot.id))

    def templates(self) -> List[Template]:
        """What sandboxes can be forked from: the server's templates, then the key's own."""
        return self._call(_api.templates())

    def delete_template(self, name: str) -> None:
        """Removes one of the key's own. Sandboxes that were forked from it live on."""
        self._call(_api.delete_template(name))

    def close(self) -> None:
        """Closes connections that wait. The client can be used again."""
        self._transport.close()

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _call(self, call: "Call[T]") -> T:
        return self._transport.call(call)

    def _stream(self, call: "Call[T]", parse: Callable[[Mapping[str, Any], str, str], T], on_stdout: Listener, on_stderr: Listener) -> T:
        """Code whose output is told as it comes."""
        end, stdout, stderr = self._follow("POST", call.target, call.body, "end", on_stdout, on_stderr)
        if end is None:
            raise TransportError("The stream ended before the code did.")
        return parse(end, stdout, stderr)

    def _follow(self, method: str, target: str, body: Any, last: str, on_stdout: Listener, on_stderr: Listener) -> Tuple[Optional[Mapping[str, Any]], str, str]:
        """Tells output as it comes, to the end of the stream, so that the connection can be used again. Gives the event that says what came of it, if there was one, and all output."""
        printed: Dict[str, List[str]] = {"stdout": [], "stderr": []}
        listeners = {"stdout": on_stdout, "stderr": on_stderr}
        end: Optional[Mapping[str, Any]] = None
        with self._transport.events(method, target, body) as stream:
            for name, data in stream.events():
                if name in printed:
                    printed[name].append(data["text"])
                    listener = listeners[name]
                    if listener is not None:
                        listener(data["text"])
                elif name == last:
                    end = data
        return end, "".join(printed["stdout"]), "".join(printed["stderr"])


_default: Dict[Any, Client] = {}


def client_for(client: Optional[Client], url: Optional[str], api_key: Optional[str]) -> Client:
    """The client that was given, or the one that all share that name the same server and key."""
    if client is not None:
        if url is not None or api_key is not None:
            raise TypeError("Give either client, or url and api_key.")
        return client
    where = (Address.parse(url), key_of(api_key))
    found = _default.get(where)
    if found is None:
        found = _default.setdefault(where, Client(url, api_key))
    return found


def exec(code: str, **options: Any) -> ExecResult:
    """Runs code in a fork of its own: :meth:`Client.exec` at the server that the environment names."""
    return client_for(None, None, None).exec(code, **options)


def exec_batch(codes: Iterable[Union[str, Mapping[str, Any]]], **common: Any) -> List[ExecResult]:
    """Runs several pieces of code: :meth:`Client.exec_batch` at the server that the environment names."""
    return client_for(None, None, None).exec_batch(codes, **common)
