"""Files of a sandbox, for asyncio programs. Disks are read and written in threads."""

from __future__ import annotations

import asyncio
import os
from typing import IO, TYPE_CHECKING, Any, AsyncIterable, AsyncIterator, Iterable, Iterator, List, Optional, Union

from .. import _api
from .._tar import PIECE, pack, unpack
from ..errors import NotFoundError
from ..files import Path, _pieces
from ..models import FileChange, FileInfo, build
from .transport import AsyncResponse

if TYPE_CHECKING:
    from .sandbox import AsyncSandbox


class AsyncChanges:
    """Changes below a directory as they happen: an iterator that never ends by itself. Leave it as a context manager."""

    def __init__(self, stream: AsyncResponse) -> None:
        self._stream = stream
        self._events = stream.events()

    def __aiter__(self) -> AsyncIterator[FileChange]:
        return self

    async def __anext__(self) -> FileChange:
        async for name, data in self._events:
            if name == "change":
                return build(FileChange, data)
        raise StopAsyncIteration

    async def close(self) -> None:
        """Ends it."""
        self._stream.close()

    async def __aenter__(self) -> "AsyncChanges":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()


class AsyncFiles:
    """``sb.files``, as :class:`ramet.files.Files`."""

    def __init__(self, sandbox: "AsyncSandbox") -> None:
        self._sandbox = sandbox

    async def read(self, path: str) -> bytes:
        """A file's content."""
        async with await self._get("/content", path) as response:
            return await response.read()

    async def read_text(self, path: str, encoding: str = "utf-8") -> str:
        """A file's content as text."""
        return (await self.read(path)).decode(encoding)

    async def write(self, path: str, content: Union[str, bytes, "IO[bytes]", Iterable[bytes], AsyncIterable[bytes]], *, mode: Optional[int] = None) -> None:
        """Writes a file; directories that are missing are made. Files and pieces are streamed and never held."""
        body: Union[bytes, AsyncIterable[bytes]]
        if isinstance(content, str):
            body = content.encode()
        elif isinstance(content, (bytes, bytearray, memoryview)):
            body = bytes(content)
        elif hasattr(content, "__aiter__"):
            body = content  # type: ignore[assignment]
        else:
            body = _in_thread(iter(_pieces(content) if hasattr(content, "read") else content))  # type: ignore[arg-type]
        await self._put("/content", path, body, mode=_api.mode_text(mode))

    async def list(self, path: str = ".") -> List[FileInfo]:
        """Entries of a directory, ordered by name."""
        return await self._sandbox._call(_api.list_files(await self._sandbox._ready(), path))

    async def stat(self, path: str, *, follow: bool = True) -> FileInfo:
        """Type, size, mode, owner, time. ``follow=False`` says what a symbolic link itself is."""
        return await self._sandbox._call(_api.stat_file(await self._sandbox._ready(), path, follow))

    async def exists(self, path: str) -> bool:
        """Whether there is something of this name."""
        try:
            await self.stat(path)
            return True
        except NotFoundError:
            return False

    async def mkdir(self, path: str, *, parents: bool = True) -> None:
        """Makes a directory; with ``parents`` also those above it, and one that is there already is fine."""
        await self._sandbox._call(_api.make_directory(await self._sandbox._ready(), path, parents))

    async def move(self, source: str, destination: str) -> None:
        """Moves or renames; a file that is there is replaced."""
        await self._sandbox._call(_api.move_file(await self._sandbox._ready(), source, destination))

    async def remove(self, path: str, *, recursive: bool = False) -> None:
        """Removes a file or an empty directory; with ``recursive`` also all below it."""
        await self._sandbox._call(_api.remove_file(await self._sandbox._ready(), path, recursive))

    async def upload(self, local: Path, remote: str) -> None:
        """Copies a file, or the content of a directory, from this machine into the sandbox. Streamed, whatever its size."""
        local = os.fspath(local)
        if os.path.isdir(local):
            await self._put("/archive", remote, _in_thread(pack(local)))
            return
        with open(local, "rb") as file:
            await self._put("/content", remote, _in_thread(_pieces(file)), mode=_api.mode_text(os.fstat(file.fileno()).st_mode & 0o777))

    async def download(self, remote: str, local: Path) -> None:
        """Copies a file, or the content of a directory, from the sandbox to this machine. Nothing is written outside ``local``."""
        local = os.fspath(local)
        if (await self.stat(remote)).type == "directory":
            async with await self._get("/archive", remote) as response:
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(None, unpack, _Reader(response, loop), local)
                while await response.read(PIECE):
                    pass
            return
        async with await self._get("/content", remote) as response:
            with open(local, "wb") as file:
                async for piece in _all(response):
                    await asyncio.get_running_loop().run_in_executor(None, file.write, piece)

    async def open(self, path: str) -> AsyncResponse:
        """A file's content as a stream with ``await read(size)``; an asynchronous context manager."""
        return await self._get("/content", path)

    async def watch(self, path: str = ".", *, recursive: bool = False) -> AsyncChanges:
        """Changes in a directory, from now on, as they happen."""
        target = _api.files_path(await self._sandbox._ready(), "/watch", path=path, recursive=recursive or None)
        return AsyncChanges(await self._sandbox._client._transport.events("GET", target))

    async def _get(self, what: str, path: str) -> AsyncResponse:
        return await self._sandbox._client._transport.send("GET", _api.files_path(await self._sandbox._ready(), what, path=path), accept="*/*")

    async def _put(self, what: str, path: str, body: Any, **query: Any) -> None:
        target = _api.files_path(await self._sandbox._ready(), what, path=path, **query)
        async with await self._sandbox._client._transport.send("PUT", target, body, content_type="application/octet-stream") as response:
            await response.read()


class _Reader:
    """A response as the file that a thread reads. When the loop closes the response, the next read fails."""

    def __init__(self, response: AsyncResponse, loop: asyncio.AbstractEventLoop) -> None:
        self._response, self._loop = response, loop

    def read(self, size: int = -1) -> bytes:
        return asyncio.run_coroutine_threadsafe(self._response.read(size), self._loop).result()


async def _all(response: AsyncResponse) -> AsyncIterator[bytes]:
    while True:
        piece = await response.read(PIECE)
        if not piece:
            return
        yield piece


async def _in_thread(pieces: Iterator[bytes]) -> AsyncIterator[bytes]:
    loop = asyncio.get_running_loop()
    while True:
        piece = await loop.run_in_executor(None, next, pieces, None)
        if piece is None:
            return
        yield piece
