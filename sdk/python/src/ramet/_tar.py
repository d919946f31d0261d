"""Directories as tar archives that are never held as a whole. What comes from a sandbox is not trusted."""

from __future__ import annotations

import os
import shutil
import stat
import tarfile
from typing import IO, Iterator, List, Tuple

from .errors import RametError

PIECE = 64 << 10


def pack(directory: str) -> Iterator[bytes]:
    """An archive of what is in a directory, in pieces: files, directories and symbolic links."""
    for parent, directories, names in os.walk(directory):
        directories.sort()
        for name in sorted(directories + names):
            path = os.path.join(parent, name)
            yield from _entry(path, os.path.relpath(path, directory).replace(os.sep, "/"))
    yield bytes(1024)


def _entry(path: str, name: str) -> Iterator[bytes]:
    status = os.lstat(path)
    info = tarfile.TarInfo(name)
    info.mode, info.mtime = stat.S_IMODE(status.st_mode) & 0o777, int(status.st_mtime)
    if stat.S_ISLNK(status.st_mode):
        info.type, info.linkname = tarfile.SYMTYPE, os.readlink(path)
    elif stat.S_ISDIR(status.st_mode):
        info.type = tarfile.DIRTYPE
    elif not stat.S_ISREG(status.st_mode):
        return  # Pipes, sockets and devices are of no use elsewhere.
    else:
        with open(path, "rb") as file:
            info.size = os.fstat(file.fileno()).st_size
            yield info.tobuf(tarfile.PAX_FORMAT)
            left = info.size
            while left > 0:
                piece = file.read(min(PIECE, left))
                # The size went first: a file that shrinks meanwhile is filled with zeros.
                piece = piece or bytes(min(PIECE, left))
                left -= len(piece)
                yield piece
            yield bytes(-info.size % 512)
        return
    yield info.tobuf(tarfile.PAX_FORMAT)


def unpack(source: "IO[bytes]", directory: str) -> None:
    """Unpacks files and directories below ``directory``. Symbolic links are made when they stay in it; whatever else an archive may hold is left out."""
    os.makedirs(directory, exist_ok=True)
    top = os.path.realpath(directory)
    links: List[Tuple[str, str]] = []
    try:
        with tarfile.open(fileobj=source, mode="r|") as archive:
            for entry in archive:
                name = entry.name.strip("/")
                if name in ("", "."):
                    continue
                path = _inside(top, name)
                if entry.isdir():
                    os.makedirs(path, exist_ok=True)
                elif entry.isreg():
                    os.makedirs(os.path.dirname(path), exist_ok=True)
                    if os.path.islink(path):
                        os.unlink(path)
                    content = archive.extractfile(entry)
                    with open(path, "wb") as file:
                        if content is not None:
                            shutil.copyfileobj(content, file, PIECE)
                    os.chmod(path, (entry.mode & 0o777) | 0o600)
                elif entry.issym():
                    links.append((path, entry.linkname))
    except tarfile.TarError as error:
        raise RametError(f"The archive cannot be read: {error}") from error
    # At the end, so that nothing was written through one of them.
    for path, target in links:
        parent = os.path.dirname(path)
        os.makedirs(parent, exist_ok=True)
        if _stays(top, parent, target) and not os.path.lexists(path):
            os.symlink(target, path)


def _stays(top: str, parent: str, target: str) -> bool:
    # Not through other links: '..' of those leads elsewhere than it seems. So '..' may only come first, and from a directory that is one.
    parts = [part for part in target.split("/") if part not in ("", ".")]
    ups = next((at for at, part in enumerate(parts) if part != ".."), len(parts))
    depth = 0 if parent == top else len(os.path.relpath(parent, top).split(os.sep))
    return not os.path.isabs(target) and ".." not in parts[ups:] and ups <= depth and os.path.realpath(parent) == parent


def _inside(top: str, name: str) -> str:
    parts = name.split("/")
    path = os.path.join(top, *parts)
    # realpath: a link that was there before may lead elsewhere.
    parent = os.path.realpath(os.path.dirname(path))
    if ".." in parts or "\0" in name or os.path.isabs(name) or not (parent == top or parent.startswith(top + os.sep)):
        raise RametError(f"The archive's entry {name!r} leads out of the directory.")
    return path
