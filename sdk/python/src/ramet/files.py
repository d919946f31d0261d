"""Files of a sandbox."""

from __future__ import annotations

import os
from typing import IO, Any, Iterable, Iterator, List, Optional, Union

from . import _api
from ._tar import PIECE, pack, unpack
from ._transport import Response
from .client import Client
from .errors import NotFoundError
from .models import FileChange, FileInfo, build

Path = Union[str, "os.PathLike[str]"]


class Changes:
    """Changes below a directory as they happen: an iterator that never ends by itself. Close it, or leave it as a context manager, from this or another thread."""

    def __init__(self, stream: Response) -> None:
        self._stream = stream
        self._events = stream.events()

    def __iter__(self) -> Iterator[FileChange]:
        return self

    def __next__(self) -> FileChange:
        for name, data in self._events:
            if name == "change":
                return build(FileChange, data)
        raise StopIteration

    def close(self) -> None:
        """Ends it."""
        self._stream.close()

    def __enter__(self) -> "Changes":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Files:
    """``sb.files``. A relative path begins in the interpreter's working directory. A path that is not there raises NotFoundError."""

    def __init__(self, client: Client, sandbox: str) -> None:
        self._client, self._sandbox = client, sandbox

    def read(self, path: str) -> bytes:
        """A file's content."""
        with self._get("/content", path) as response:
            return response.read()

    def read_text(self, path: str, encoding: str = "utf-8") -> str:
        """A file's content as text."""
        return self.read(path).decode(encoding)

    def write(self, path: str, content: Union[str, bytes, "IO[bytes]", Iterable[bytes]], *, mode: Optional[int] = None) -> None:
        """Writes a file; directories that are missing are made.

        :param content: text, bytes, an open binary file, or pieces of bytes; the last two are streamed and never held. :param mode: permission bits, such as 0o755.
        """
        body: Union[bytes, Iterable[bytes]]
        if isinstance(content, str):
            body = content.encode()
        elif isinstance(content, (bytes, bytearray, memoryview)):
            body = bytes(content)
        else:
            body = _pieces(content) if hasattr(content, "read") else content
        self._put("/content", path, body, mode=_api.mode_text(mode))

    def list(self, path: str = ".") -> List[FileInfo]:
        """Entries of a directory, ordered by name."""
        return self._client._call(_api.list_files(self._sandbox, path))

    def stat(self, path: str, *, follow: bool = True) -> FileInfo:
        """Type, size, mode, owner, time. ``follow=False`` says what a symbolic link itself is."""
        return self._client._call(_api.stat_file(self._sandbox, path, follow))

    def exists(self, path: str) -> bool:
        """Whether there is something of this name."""
        try:
            self.stat(path)
            return True
        except NotFoundError:
            return False

    def mkdir(self, path: str, *, parents: bool = True) -> None:
        """Makes a directory; with ``parents`` also those above it, and one that is there already is fine."""
        self._client._call(_api.make_directory(self._sandbox, path, parents))

    def move(self, source: str, destination: str) -> None:
        """Moves or renames; a file that is there is replaced."""
        self._client._call(_api.move_file(self._sandbox, source, destination))

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Removes a file or an empty directory; with ``recursive`` also all below it."""
        self._client._call(_api.remove_file(self._sandbox, path, recursive))

    def upload(self, local: Path, remote: str) -> None:
        """Copies a file, or the content of a directory, from this machine into the sandbox. Streamed, whatever its size."""
        local = os.fspath(local)
        if os.path.isdir(local):
            self._put("/archive", remote, pack(local))
            return
        with open(local, "rb") as file:
            self._put("/content", remote, _pieces(file), mode=_api.mode_text(os.fstat(file.fileno()).st_mode & 0o777))

    def download(self, remote: str, local: Path) -> None:
        """Copies a file, or the content of a directory, from the sandbox to this machine. Nothing is written outside ``local``."""
        local = os.fspath(local)
        if self.stat(remote).type == "directory":
            with self._get("/archive", remote) as response:
                unpack(response, local)  # type: ignore[arg-type]
                while response.read(PIECE):
                    pass
            return
        with self._get("/content", remote) as response, open(local, "wb") as file:
            while True:
                piece = response.read(PIECE)
                if not piece:
                    return
                file.write(piece)

    def open(self, path: str) -> Response:
        """A file's content as a stream with ``read(size)``; a context manager."""
        return self._get("/content", path)

    def watch(self, path: str = ".", *, recursive: bool = False) -> Changes:
        """Changes in a directory, from now on, as they happen."""
        return Changes(self._client._transport.events("GET", _api.files_path(self._sandbox, "/watch", path=path, recursive=recursive or None)))

    def _get(self, what: str, path: str) -> Response:
        return self._client._transport.send("GET", _api.files_path(self._sandbox, what, path=path), accept="*/*")

    def _put(self, what: str, path: str, body: Any, **query: Any) -> None:
        target = _api.files_path(self._sandbox, what, path=path, **query)
        with self._client._transport.send("PUT", target, body, content_type="application/octet-stream", repeatable=isinstance(body, bytes)) as response:
            response.read()


def _pieces(file: Any) -> Iterator[bytes]:
    while True:
        piece = file.read(PIECE)
        if not piece:
            return
        yield piece
