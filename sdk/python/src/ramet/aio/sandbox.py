"""A sandbox that lives on between calls, for asyncio programs."""

from __future__ import annotations

import asyncio
from typing import Any, Callable, Dict, Generator, List, Mapping, Optional, TypeVar, Union

from .. import _api
from .._api import Call
from ..errors import NotFoundError, RametError
from ..models import Checkpoint, Logs, RunResult, SandboxInfo, Snapshot, Template
from .client import AsyncClient, client_for
from .commands import AsyncCommands
from .files import AsyncFiles

T = TypeVar("T")


class AsyncSandbox:
    """As :class:`ramet.Sandbox`. It is made when it is entered, awaited, or first used:

        async with AsyncSandbox() as sb:
            print(await sb.run("print(1 + 1)"))

    Python cannot wait when an object goes, so a sandbox that was neither left as a context manager nor deleted lives until its ``timeout_seconds`` (300) are over.
    """

    def __init__(
        self, template: Optional[str] = None, *, language: Optional[str] = None, snapshot: Union[str, Snapshot, None] = None, image: Optional[str] = None,
        memory_mb: Optional[int] = None, timeout_seconds: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None, env: Optional[Mapping[str, str]] = None,
        cwd: Optional[str] = None, network: Optional[str] = None, auto_pause_seconds: Optional[float] = None, checkpoint_every_run: Optional[bool] = None,
        limits: Optional[Mapping[str, int]] = None, max_output: Optional[int] = None,
        client: Optional[AsyncClient] = None, url: Optional[str] = None, api_key: Optional[str] = None,
    ) -> None:
        self._creation: Optional[Call[SandboxInfo]] = _api.create(
            template=template, language=language, snapshot=snapshot, image=image, memory_mb=memory_mb, timeout_seconds=timeout_seconds, metadata=metadata, env=env, cwd=cwd,
            network=network, auto_pause_seconds=auto_pause_seconds, checkpoint_every_run=checkpoint_every_run,
            limits=limits, max_output=max_output)
        self._where = (client, url, api_key)
        self._begin(None)

    def _begin(self, id: Optional[str]) -> None:
        self._id = id
        self._making: "Optional[asyncio.Future[str]]" = None
        self.files = AsyncFiles(self)
        self.commands = AsyncCommands(self)

    @classmethod
    async def connect(cls, id: str, *, client: Optional[AsyncClient] = None, url: Optional[str] = None, api_key: Optional[str] = None) -> "AsyncSandbox":
        """A sandbox that there is already. Raises NotFoundError when it is over."""
        found = client_for(client, url, api_key)
        return cls._of(found, (await found.get_sandbox(id)).id)

    @classmethod
    def _of(cls, client: AsyncClient, id: str) -> "AsyncSandbox":
        sandbox = cls.__new__(cls)
        sandbox._creation, sandbox._where = None, (client, None, None)
        sandbox._begin(id)
        return sandbox

    @property
    def id(self) -> str:
        """Names it at the server."""
        if self._id is None:
            raise RametError("The sandbox is not made yet: await it, or enter it with 'async with'.")
        return self._id

    @property
    def _client(self) -> AsyncClient:
        return client_for(*self._where)

    async def _ready(self) -> str:
        if self._id is not None:
            return self._id
        if self._making is None or self._making.cancelled() or (self._making.done() and self._making.exception() is not None):
            self._making = asyncio.ensure_future(self._make())
        # Others may wait for the same: the making goes on when one of them is cancelled.
        return await asyncio.shield(self._making)

    async def _make(self) -> str:
        assert self._creation is not None
        self._id = (await self._client._call(self._creation)).id
        return self._id

    def __await__(self) -> "Generator[Any, None, AsyncSandbox]":
        yield from self._ready().__await__()
        return self

    async def run(
        self, code: str, *, timeout_seconds: Optional[float] = None, env: Optional[Mapping[str, Optional[str]]] = None, cwd: Optional[str] = None,
        on_stdout: Optional[Callable[[str], object]] = None, on_stderr: Optional[Callable[[str], object]] = None,
    ) -> RunResult:
        """Runs code in the warm interpreter, as :meth:`ramet.Sandbox.run`. Cancelling it interrupts the code (KeyboardInterrupt); the sandbox lives on.

        :param on_stdout: called with what is printed, as it is printed; a coroutine function is awaited.
        """
        call = _api.run(await self._ready(), code, timeout_seconds, env, cwd)
        if on_stdout is None and on_stderr is None:
            return await self._client._call(call)
        return await self._client._stream(call, RunResult.of, on_stdout, on_stderr)

    async def info(self) -> SandboxInfo:
        """State, memory, and when it ends."""
        return await self._call(_api.get(await self._ready()))

    async def extend(self, timeout_seconds: float) -> SandboxInfo:
        """It is to end after this time from now."""
        return await self._call(_api.update(await self._ready(), timeout_seconds, None))

    async def set_metadata(self, metadata: Mapping[str, str]) -> SandboxInfo:
        """Replaces what is noted with it."""
        return await self._call(_api.update(await self._ready(), None, metadata))

    async def pause(self) -> SandboxInfo:
        """Stops it; its memory is kept. Until it is resumed nothing else can be asked of it (409)."""
        return await self._call(_api.pause(await self._ready()))

    async def resume(self) -> SandboxInfo:
        """Lets it go on."""
        return await self._call(_api.resume(await self._ready()))

    async def fork(self, count: int = 1, *, timeout_seconds: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None) -> "List[AsyncSandbox]":
        """So many copies of it as it is now, with its variables, files and processes. It goes on itself."""
        client = self._client
        return [AsyncSandbox._of(client, one.id) for one in await self._call(_api.fork(await self._ready(), count, timeout_seconds, metadata))]

    async def save_template(self, name: str) -> Template:
        """Makes a template of it as it is now, as :meth:`ramet.Sandbox.save_template`."""
        return await self._call(_api.create_template(name, await self._ready()))

    async def snapshot(self, name: Optional[str] = None) -> Snapshot:
        """Saves it as it is now. ``AsyncSandbox(snapshot=...)`` goes on from there, also after the server was restarted."""
        return await self._call(_api.snapshot(await self._ready(), name))

    async def checkpoint(self, name: Optional[str] = None) -> Checkpoint:
        """Notes this moment, for :meth:`rewind` and :meth:`diff`."""
        return await self._call(_api.checkpoint(await self._ready(), name))

    async def checkpoints(self) -> List[Checkpoint]:
        """The moments that were noted."""
        return await self._call(_api.checkpoints(await self._ready()))

    async def delete_checkpoint(self, checkpoint: Union[str, Checkpoint]) -> None:
        """Forgets a moment."""
        await self._call(_api.delete_checkpoint(await self._ready(), _name(checkpoint)))

    async def rewind(self, checkpoint: Union[str, Checkpoint]) -> None:
        """Takes everything, memory and files, back to that moment."""
        await self._call(_api.rewind(await self._ready(), _name(checkpoint)))

    async def diff(self, start: Union[str, Checkpoint, None] = None, end: Union[str, Checkpoint, None] = None, *, content: bool = False) -> Dict[str, Any]:
        """What has changed from one checkpoint to another, or to now. ``content`` also gives the contents of files."""
        return await self._call(_api.diff(await self._ready(), start and _name(start), end and _name(end), content))

    async def metrics(self) -> Dict[str, Any]:
        """What it has used: CPU, memory, and more."""
        return await self._call(_api.metrics(await self._ready()))

    async def logs(self) -> Logs:
        """What happened to it, and the last output of its interpreter, also between runs."""
        return await self._call(_api.logs(await self._ready()))

    async def delete(self) -> None:
        """Ends it. Raises NotFoundError when it is over already."""
        await self._call(_api.delete(self.id))

    async def close(self) -> None:
        """Ends it, if it was made and is not over."""
        if self._making is not None and not self._making.done():
            await asyncio.wait([self._making])
        if self._id is None:
            return
        try:
            await self.delete()
        except NotFoundError:
            pass

    async def __aenter__(self) -> "AsyncSandbox":
        await self._ready()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<AsyncSandbox {self._id or 'not made yet'}>"

    async def _call(self, call: "Call[T]") -> T:
        return await self._client._call(call)


def _name(checkpoint: Union[str, Checkpoint]) -> str:
    return checkpoint if isinstance(checkpoint, str) else checkpoint.id
