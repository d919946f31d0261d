"""The requests of the HTTP API as data, for the blocking and the asynchronous client alike."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import Any, Callable, Dict, Generic, Iterable, List, Mapping, Optional, Sequence, Tuple, TypeVar, Union
from urllib.parse import quote, urlencode

from .models import (
    Checkpoint, ExecResult, FileInfo, Logs, Page, ProcessInfo, RunResult, SandboxInfo, Snapshot, Template,
)

T = TypeVar("T")

#: The content of a file to be: text, or bytes.
Content = Union[str, bytes, bytearray, memoryview]
#: Rows and columns of a terminal.
TerminalSize = Tuple[int, int]
#: A line for the shell, or a program and its arguments.
Command = Union[str, Sequence[str]]

#: How long code may run that has no time limit of its own here; the server has one in any case.
UNKNOWN_LIMIT = 3600.0


@dataclass(frozen=True)
class Call(Generic[T]):
    """One request, and how to read its answer."""

    method: str
    path: str
    parse: Callable[[Any], T]
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Optional[Mapping[str, Any]] = None
    #: Seconds that the server may take beyond the usual.
    wait: float = 0.0

    @property
    def target(self) -> str:
        """Path and query."""
        return target(self.path, self.query)


def target(path: str, query: Mapping[str, Any]) -> str:
    """Path and query, without what is None."""
    pairs = [(name, str(value).lower() if isinstance(value, bool) else value) for name, value in query.items() if value is not None]
    return path + "?" + urlencode(pairs, quote_via=quote) if pairs else path


def _given(**members: Any) -> Dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _nothing(_: Any) -> None:
    return None


def _first_list(data: Any) -> List[Any]:
    if isinstance(data, dict):
        data = next((value for value in data.values() if isinstance(value, list)), [])
    return list(data)


def _content(value: Content) -> Any:
    return value if isinstance(value, str) else {"base64": base64.b64encode(bytes(value)).decode("ascii")}


def _sandbox(id: str) -> str:
    return "/v1/sandboxes/" + quote(id, safe="")


def exec_body(
    code: str, language: Optional[str], template: Optional[str], timeout_seconds: Optional[float], stdin: Optional[str], args: Optional[Sequence[str]],
    env: Optional[Mapping[str, Optional[str]]], files: Optional[Mapping[str, Content]], memory_mb: Optional[int],
) -> Dict[str, Any]:
    """Body of an exec."""
    return _given(
        code=code, language=language, template=template, timeout_seconds=timeout_seconds, stdin=stdin, args=None if args is None else list(args),
        env=None if env is None else dict(env), files=None if files is None else {path: _content(content) for path, content in files.items()}, memory_mb=memory_mb)


def _limit(body: Mapping[str, Any]) -> float:
    return float(body.get("timeout_seconds") or UNKNOWN_LIMIT)


def _exec_result(data: Mapping[str, Any]) -> ExecResult:
    return ExecResult(**{name: value for name, value in data.items() if name in ExecResult.__dataclass_fields__})


def exec_code(body: Dict[str, Any]) -> Call[ExecResult]:
    return Call("POST", "/v1/exec", _exec_result, body=body, wait=_limit(body))


def exec_end(data: Mapping[str, Any], stdout: str, stderr: str) -> ExecResult:
    """From the last event of a stream, and what came before."""
    return _exec_result({**data, "stdout": stdout, "stderr": stderr, "output": stdout + stderr})


def exec_batch(bodies: List[Dict[str, Any]]) -> Call[List[ExecResult]]:
    return Call("POST", "/v1/exec/batch", lambda data: [_exec_result(one) for one in data["results"]], body={"executions": bodies}, wait=sum(map(_limit, bodies)))


def health() -> Call[Dict[str, Any]]:
    return Call("GET", "/v1/health", dict)


def create(**members: Any) -> Call[SandboxInfo]:
    snapshot = members.get("snapshot")
    if isinstance(snapshot, Snapshot):
        members["snapshot"] = snapshot.id
    return Call("POST", "/v1/sandboxes", SandboxInfo.of, body=_given(**members), wait=60)


def get(id: str) -> Call[SandboxInfo]:
    return Call("GET", _sandbox(id), SandboxInfo.of)


def list_page(limit: Optional[int], cursor: Optional[str], metadata: Optional[Mapping[str, str]]) -> Call[Page]:
    query: Dict[str, Any] = {"limit": limit, "cursor": cursor}
    query.update({"metadata." + name: value for name, value in (metadata or {}).items()})
    return Call("GET", "/v1/sandboxes", lambda data: Page([SandboxInfo.of(one) for one in data["sandboxes"]], data.get("next_cursor")), query=query)


def update(id: str, timeout_seconds: Optional[float], metadata: Optional[Mapping[str, str]]) -> Call[SandboxInfo]:
    return Call("PATCH", _sandbox(id), SandboxInfo.of, body=_given(timeout_seconds=timeout_seconds, metadata=metadata))


def delete(id: str) -> Call[None]:
    return Call("DELETE", _sandbox(id), _nothing)


def run(id: str, code: str, timeout_seconds: Optional[float], env: Optional[Mapping[str, Optional[str]]], cwd: Optional[str]) -> Call[RunResult]:
    body = _given(code=code, timeout_seconds=timeout_seconds, env=env, cwd=cwd)
    # A run waits for the one before it.
    return Call("POST", _sandbox(id) + "/run", RunResult.of, body=body, wait=_limit(body))


def pause(id: str) -> Call[SandboxInfo]:
    return Call("POST", _sandbox(id) + "/pause", SandboxInfo.of, wait=60)


def resume(id: str) -> Call[SandboxInfo]:
    return Call("POST", _sandbox(id) + "/resume", SandboxInfo.of, wait=60)


def fork(id: str, count: int, timeout_seconds: Optional[float], metadata: Optional[Mapping[str, str]]) -> Call[List[SandboxInfo]]:
    return Call(
        "POST", _sandbox(id) + "/fork", lambda data: [SandboxInfo.of(one) for one in data["sandboxes"]],
        body=_given(count=count, timeout_seconds=timeout_seconds, metadata=metadata), wait=60)


def snapshot(id: str, name: Optional[str]) -> Call[Snapshot]:
    return Call("POST", _sandbox(id) + "/snapshots", Snapshot.of, body=_given(name=name), wait=60)


def snapshots() -> Call[List[Snapshot]]:
    return Call("GET", "/v1/snapshots", lambda data: [Snapshot.of(one) for one in _first_list(data)])


def get_snapshot(id: str) -> Call[Snapshot]:
    return Call("GET", "/v1/snapshots/" + quote(id, safe=""), Snapshot.of)


def delete_snapshot(id: str) -> Call[None]:
    return Call("DELETE", "/v1/snapshots/" + quote(id, safe=""), _nothing)


def templates() -> Call[List[Template]]:
    return Call("GET", "/v1/templates", lambda data: [Template.of(one) for one in data["templates"]])


def create_template(name: str, sandbox: str) -> Call[Template]:
    return Call("POST", "/v1/templates", Template.of, body={"name": name, "sandbox": sandbox}, wait=60)


def delete_template(name: str) -> Call[None]:
    return Call("DELETE", "/v1/templates/" + quote(name, safe=""), _nothing)


def checkpoint(id: str, name: Optional[str]) -> Call[Checkpoint]:
    return Call("POST", _sandbox(id) + "/checkpoints", Checkpoint.of, body=_given(name=name), wait=60)


def checkpoints(id: str) -> Call[List[Checkpoint]]:
    return Call("GET", _sandbox(id) + "/checkpoints", lambda data: [Checkpoint.of(one) for one in _first_list(data)])


def delete_checkpoint(id: str, checkpoint: str) -> Call[None]:
    return Call("DELETE", f"{_sandbox(id)}/checkpoints/{quote(checkpoint, safe='')}", _nothing)


def rewind(id: str, checkpoint: str) -> Call[None]:
    return Call("POST", _sandbox(id) + "/rewind", _nothing, body={"checkpoint": checkpoint}, wait=60)


def diff(id: str, start: Optional[str], end: Optional[str], content: bool) -> Call[Dict[str, Any]]:
    return Call("GET", _sandbox(id) + "/diff", dict, query={"from": start, "to": end, "content": True if content else None}, wait=60)


def metrics(id: str) -> Call[Dict[str, Any]]:
    return Call("GET", _sandbox(id) + "/metrics", dict)


def logs(id: str) -> Call[Logs]:
    return Call("GET", _sandbox(id) + "/logs", Logs.of)


def _processes(id: str, pid: Optional[int] = None, what: str = "") -> str:
    return f"{_sandbox(id)}/processes" + ("" if pid is None else f"/{pid}{what}")


def start_process(
    id: str, command: Command, env: Optional[Mapping[str, str]], cwd: Optional[str], user: Optional[str], tty: Optional[TerminalSize], stdin: Optional[str], keep_stdin: bool,
) -> Call[ProcessInfo]:
    body = _given(env=env, cwd=cwd, user=user, stdin=stdin, tty=None if tty is None else {"rows": tty[0], "columns": tty[1]}, keep_stdin=keep_stdin or None)
    body["shell" if isinstance(command, str) else "command"] = command if isinstance(command, str) else list(command)
    return Call("POST", _processes(id), ProcessInfo.of, body=body)


def list_processes(id: str) -> Call[List[ProcessInfo]]:
    return Call("GET", _processes(id), lambda data: [ProcessInfo.of(one) for one in data["processes"]])


def get_process(id: str, pid: int) -> Call[ProcessInfo]:
    return Call("GET", _processes(id, pid), ProcessInfo.of)


def output_path(id: str, pid: int) -> str:
    return _processes(id, pid, "/output")


def stdin_path(id: str, pid: int, close: bool) -> str:
    return target(_processes(id, pid, "/stdin"), {"close": True if close else None})


def signal_process(id: str, pid: int, signal: Union[str, int]) -> Call[None]:
    return Call("POST", _processes(id, pid, "/signal"), _nothing, body={"signal": str(int(signal)) if isinstance(signal, int) else signal})


def resize_process(id: str, pid: int, rows: int, columns: int) -> Call[None]:
    return Call("POST", _processes(id, pid, "/resize"), _nothing, body={"rows": rows, "columns": columns})


def wait_process(id: str, pid: int, seconds: float) -> Call[ProcessInfo]:
    return Call("POST", _processes(id, pid, "/wait"), ProcessInfo.of, query={"timeout_seconds": seconds}, wait=seconds)


def files_path(id: str, what: str, **query: Any) -> str:
    return target(_sandbox(id) + "/files" + what, query)


def list_files(id: str, path: str) -> Call[List[FileInfo]]:
    return Call("GET", files_path(id, ""), lambda data: [FileInfo.of(one) for one in data["entries"]], query={"path": path})


def stat_file(id: str, path: str, follow: bool) -> Call[FileInfo]:
    return Call("GET", files_path(id, "/stat"), FileInfo.of, query={"path": path, "follow": None if follow else False})


def make_directory(id: str, path: str, parents: bool) -> Call[None]:
    return Call("POST", files_path(id, "/mkdir"), _nothing, body={"path": path, "parents": parents})


def move_file(id: str, source: str, destination: str) -> Call[None]:
    return Call("POST", files_path(id, "/move"), _nothing, body={"from": source, "to": destination})


def remove_file(id: str, path: str, recursive: bool) -> Call[None]:
    return Call("DELETE", files_path(id, ""), _nothing, query={"path": path, "recursive": True if recursive else None})


def mode_text(mode: Optional[int]) -> Optional[str]:
    """Permission bits as the interface takes them."""
    return None if mode is None else format(mode, "o")


def items(codes: Iterable[Union[str, Mapping[str, Any]]], **common: Any) -> List[Dict[str, Any]]:
    """Bodies of a batch: code, or dictionaries of exec's arguments, which win over ``common``."""
    bodies = []
    for one in codes:
        arguments = {**common, **({"code": one} if isinstance(one, str) else one)}
        names = ("code", "language", "template", "timeout_seconds", "stdin", "args", "env", "files", "memory_mb")
        unknown = set(arguments) - set(names)
        if unknown or "code" not in arguments:
            raise TypeError(f"An item of a batch is code, or a dictionary of exec's arguments; {f'unknown: {sorted(unknown)}' if unknown else 'code is missing'}.")
        bodies.append(exec_body(*(arguments.get(name) for name in names)))  # type: ignore[arg-type]
    return bodies
