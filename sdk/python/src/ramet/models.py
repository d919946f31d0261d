"""What the server answers with."""

from __future__ import annotations

import base64
import dataclasses
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Dict, List, Mapping, Optional, Tuple, Type, TypeVar

from .errors import CodeError

T = TypeVar("T")
_FIELDS: Dict[type, Tuple[str, ...]] = {}


def parse_time(text: str) -> datetime:
    """RFC 3339, with any number of digits of the second."""
    text = re.sub(r"\.(\d{1,6})\d*", lambda match: "." + match.group(1).ljust(6, "0"), text)
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def build(kind: Type[T], data: Mapping[str, Any], **more: Any) -> T:
    """An instance from JSON. Members that this version does not know are left out."""
    names = _FIELDS.get(kind)
    if names is None:
        names = _FIELDS[kind] = tuple(one.name for one in dataclasses.fields(kind))  # type: ignore[arg-type]
    values = {name: data[name] for name in names if name in data and data[name] is not None}
    values.update(more)
    return kind(**values)


def _printed(text: str) -> str:
    return text[:-1] if text.endswith("\n") else text


@dataclass(frozen=True)
class CodeException:
    """An exception that nothing caught."""

    type: str = ""
    text: str = ""
    #: Where it was thrown, as the language tells it.
    stack: str = ""

    def __str__(self) -> str:
        return f"{self.type}: {self.text}" if self.text else self.type


class Output(Dict[str, Any]):
    """What a value or figure looks like: media type to content. Images are in base64 there; ``png`` and ``jpeg`` are bytes."""

    @property
    def text(self) -> Optional[str]:
        """``text/plain``."""
        return self.get("text/plain")

    @property
    def html(self) -> Optional[str]:
        """``text/html``, such as the table of a data frame."""
        return self.get("text/html")

    @property
    def png(self) -> Optional[bytes]:
        """``image/png``, such as a figure of matplotlib."""
        return self._bytes("image/png")

    @property
    def jpeg(self) -> Optional[bytes]:
        """``image/jpeg``."""
        return self._bytes("image/jpeg")

    def _bytes(self, kind: str) -> Optional[bytes]:
        content = self.get(kind)
        return base64.b64decode(content) if isinstance(content, str) else None


@dataclass(frozen=True)
class RunResult:
    """What code in a sandbox's interpreter came to. ``str()`` of it is what was printed."""

    stdout: str = ""
    stderr: str = ""
    #: 0; 1 after an exception; 124: its time was over; 137: it was killed.
    exit_code: int = 0
    timed_out: bool = False
    #: The repr of the last expression; None when there was none, or it was None.
    value: Optional[str] = None
    #: How the last expression and open figures look.
    results: List[Output] = field(default_factory=list)
    #: The exception that nothing caught.
    exception: Optional[CodeException] = None
    duration_ms: float = 0.0

    def __str__(self) -> str:
        return _printed(self.stdout)

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.exit_code == 0

    @property
    def images(self) -> List[bytes]:
        """All PNG images among the results."""
        return [png for png in (one.png for one in self.results) if png is not None]

    def check(self) -> "RunResult":
        """The result itself, if it is ok. Raises :class:`CodeError` otherwise."""
        if self.ok:
            return self
        why = "its time was over" if self.timed_out else str(self.exception or f"exit code {self.exit_code}")
        raise CodeError(f"The code failed: {why}", self)

    @staticmethod
    def of(data: Mapping[str, Any], stdout: Optional[str] = None, stderr: Optional[str] = None) -> "RunResult":
        """From JSON."""
        more: Dict[str, Any] = {"results": [Output(one) for one in data.get("results") or () if isinstance(one, dict)]}
        if data.get("exception"):
            more["exception"] = build(CodeException, data["exception"])
        if stdout is not None:
            more.update(stdout=stdout, stderr=stderr or "")
        return build(RunResult, data, **more)


@dataclass(frozen=True)
class ExecResult:
    """What code in a fork of its own came to. ``str()`` of it is what was printed."""

    id: str = ""
    stdout: str = ""
    stderr: str = ""
    #: Standard output and then standard error.
    output: str = ""
    #: The program's own; 128 + signal; 124: its time was over; 153: it printed too much; 137: memory.
    exit_code: int = 0
    timed_out: bool = False
    #: Why it did not end by itself; None when it did.
    error: Optional[str] = None
    fork_time_ms: float = 0.0
    exec_time_ms: float = 0.0
    total_time_ms: float = 0.0
    duration_ms: float = 0.0
    #: Only when it is not UTF-8; see :attr:`stdout_bytes`.
    stdout_base64: Optional[str] = None
    stderr_base64: Optional[str] = None

    def __str__(self) -> str:
        return _printed(self.stdout)

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.exit_code == 0

    @property
    def stdout_bytes(self) -> bytes:
        """Standard output as it was written."""
        return base64.b64decode(self.stdout_base64) if self.stdout_base64 else self.stdout.encode()

    @property
    def stderr_bytes(self) -> bytes:
        """Standard error as it was written."""
        return base64.b64decode(self.stderr_base64) if self.stderr_base64 else self.stderr.encode()

    def check(self) -> "ExecResult":
        """The result itself, if it is ok. Raises :class:`CodeError` otherwise."""
        if self.ok:
            return self
        raise CodeError(f"The code failed: {self.error or f'exit code {self.exit_code}'}", self)


@dataclass(frozen=True)
class CommandResult:
    """What a command came to. ``str()`` of it is what was printed."""

    pid: int
    stdout: str
    stderr: str
    #: Its own, or 128 + signal; 124 when its time was over.
    exit_code: int
    timed_out: bool = False

    def __str__(self) -> str:
        return _printed(self.stdout)

    @property
    def ok(self) -> bool:
        """Whether it ended well."""
        return self.exit_code == 0

    def check(self) -> "CommandResult":
        """The result itself, if it is ok. Raises :class:`CodeError` otherwise."""
        if self.ok:
            return self
        raise CodeError(f"The command failed with exit code {self.exit_code}: {self.stderr.strip() or self.stdout.strip()}"[:2000], self)


@dataclass(frozen=True)
class CommandOutput:
    """A piece of a command's output. ``stream`` is ``stdout`` (also of a terminal) or ``stderr``."""

    stream: str
    text: str


@dataclass(frozen=True)
class ProcessInfo:
    """A process that was started through the interface."""

    pid: int
    command: List[str]
    started: datetime
    tty: bool
    running: bool
    exit_code: Optional[int] = None

    @staticmethod
    def of(data: Mapping[str, Any]) -> "ProcessInfo":
        """From JSON."""
        return build(ProcessInfo, data, started=parse_time(data["started"]))


@dataclass(frozen=True)
class SandboxInfo:
    """What is known of a sandbox."""

    id: str
    #: ``running`` or ``paused``.
    state: str
    created: datetime
    expires: datetime
    #: What it was forked from; None: it was made from an image.
    template: Optional[str] = None
    image: Optional[str] = None
    memory_mb: float = 0.0
    memory_used_mb: float = 0.0
    metadata: Dict[str, str] = field(default_factory=dict)
    #: How many forks and restores it has come through.
    generation: Optional[int] = None
    #: The sandbox that it was forked from.
    parent: Optional[str] = None

    @staticmethod
    def of(data: Mapping[str, Any]) -> "SandboxInfo":
        """From JSON."""
        return build(SandboxInfo, data, created=parse_time(data["created"]), expires=parse_time(data["expires"]))


@dataclass(frozen=True)
class Snapshot:
    """A sandbox that was saved; sandboxes can be made of it."""

    id: str
    name: Optional[str] = None
    template: Optional[str] = None
    created: Optional[datetime] = None
    size_bytes: int = 0
    metadata: Dict[str, str] = field(default_factory=dict)

    @staticmethod
    def of(data: Mapping[str, Any]) -> "Snapshot":
        """From JSON."""
        return build(Snapshot, data, created=parse_time(data["created"]))


@dataclass(frozen=True)
class Template:
    """What sandboxes are forked from: the server's, or made of a sandbox (:meth:`Sandbox.save_template`)."""

    name: str
    #: The language of the server's templates.
    language: Optional[str] = None
    #: The template below it, of the key's own.
    origin: Optional[str] = None
    #: The id of the sandbox that it was made of.
    sandbox: Optional[str] = None
    created: Optional[datetime] = None
    size_bytes: Optional[int] = None

    @staticmethod
    def of(data: Mapping[str, Any]) -> "Template":
        """From JSON."""
        return build(Template, data, origin=data.get("from"), created=parse_time(data["created"]) if data.get("created") else None)


@dataclass(frozen=True)
class Checkpoint:
    """A moment of a sandbox to which it can be taken back."""

    id: str
    name: Optional[str] = None
    created: Optional[datetime] = None
    memory_bytes: int = 0

    @staticmethod
    def of(data: Mapping[str, Any]) -> "Checkpoint":
        """From JSON."""
        return build(Checkpoint, data, created=parse_time(data["created"]))


@dataclass(frozen=True)
class LogEntry:
    """Something that happened to a sandbox."""

    time: datetime
    #: ``created``, ``forked``, ``restored``, ``run``, ``process``, ``paused``, ``resumed``, ``fork``, ``checkpoint``, ``rewound`` or ``snapshot``.
    event: str
    text: str = ""


@dataclass(frozen=True)
class Logs:
    """What happened to a sandbox, and the last that its interpreter printed, also between runs. ``str()`` of it is the latter."""

    events: List[LogEntry]
    output: str

    def __str__(self) -> str:
        return _printed(self.output)

    @staticmethod
    def of(data: Mapping[str, Any]) -> "Logs":
        """From JSON."""
        return Logs([build(LogEntry, one, time=parse_time(one["time"])) for one in data["events"]], data["output"])


@dataclass(frozen=True)
class FileInfo:
    """A file of a sandbox."""

    path: str
    name: str
    #: ``file``, ``directory``, ``symlink``, ``fifo``, ``socket``, ``device`` or ``unknown``.
    type: str
    size: int
    #: Permission bits, such as 0o644.
    mode: int
    uid: int
    gid: int
    modified: datetime
    #: Where a symbolic link leads.
    target: Optional[str] = None

    @staticmethod
    def of(data: Mapping[str, Any]) -> "FileInfo":
        """From JSON."""
        return build(FileInfo, data, modified=parse_time(data["modified"]), mode=int(data["mode"], 8))


@dataclass(frozen=True)
class FileChange:
    """Something that happened to a file."""

    #: ``created``, ``modified``, ``removed``, ``moved_from``, ``moved_to``, ``attributes``; ``overflow``: some were lost.
    kind: str
    path: str
    is_directory: bool = False


@dataclass(frozen=True)
class Page:
    """A page of sandboxes. ``next_cursor`` is None on the last."""

    sandboxes: List[SandboxInfo]
    next_cursor: Optional[str] = None
