"""Programs in a sandbox, beside its interpreter."""

from __future__ import annotations

import threading
import time
from typing import Iterator, List, Mapping, Optional, Union

from . import _api
from ._api import Command, TerminalSize
from ._events import Event
from .client import Client, Listener
from .errors import ConflictError, RametError, TransportError
from .models import CommandOutput, CommandResult, ProcessInfo

_SLICE = 60.0


class Process:
    """A program that was started. It goes on when this object goes; ``sb.commands.attach(pid)`` finds it again."""

    def __init__(self, client: Client, sandbox: str, pid: int) -> None:
        self._client, self._sandbox = client, sandbox
        #: Its number in the sandbox.
        self.pid = pid
        self._killed_late = False

    def info(self) -> ProcessInfo:
        """Whether it runs, and its exit code."""
        return self._client._call(_api.get_process(self._sandbox, self.pid))

    def output(self) -> Iterator[CommandOutput]:
        """What it prints, as it comes, until it ends: first what was kept (the last MiB). Can be asked for again at any time, and twice at once."""
        for name, data in self._events():
            if name in ("stdout", "stderr"):
                yield CommandOutput(name, str(data["text"]))

    def wait(self, timeout: Optional[float] = None, *, on_stdout: Listener = None, on_stderr: Listener = None) -> CommandResult:
        """Waits for its end, and gives what it has printed (what was kept of that, if nobody was attached before).

        :param timeout: seconds; then it raises TimeoutError, and the program goes on.
        """
        if timeout is not None:
            end = time.monotonic() + timeout
            while self._client._call(_api.wait_process(self._sandbox, self.pid, min(_SLICE, max(0.0, end - time.monotonic())))).running:
                if time.monotonic() >= end:
                    raise TimeoutError(f"Process {self.pid} runs still after {timeout} s.")
        return self._collect(on_stdout, on_stderr)

    def kill(self, signal: Union[str, int] = "KILL") -> bool:
        """Sends it and its group a signal, such as "TERM" or 15. False: it has ended already."""
        try:
            self._client._call(_api.signal_process(self._sandbox, self.pid, signal))
            return True
        except ConflictError:
            return False

    def send_stdin(self, data: Union[str, bytes]) -> None:
        """Gives it input. It must have been started with ``keep_stdin`` or a terminal."""
        self._write(data, close=False)

    def close_stdin(self) -> None:
        """It reads the end of the file."""
        self._write(b"", close=True)

    def resize(self, rows: int, columns: int) -> None:
        """Sets the size of its terminal anew."""
        self._client._call(_api.resize_process(self._sandbox, self.pid, rows, columns))

    def __repr__(self) -> str:
        return f"<Process {self.pid} of {self._sandbox}>"

    def _write(self, data: Union[str, bytes], close: bool) -> None:
        body = data.encode() if isinstance(data, str) else bytes(data)
        target = _api.stdin_path(self._sandbox, self.pid, close)
        with self._client._transport.send("POST", target, body, content_type="application/octet-stream") as response:
            response.read()

    def _events(self) -> Iterator[Event]:
        with self._client._transport.events("GET", _api.output_path(self._sandbox, self.pid)) as stream:
            for event in stream.events():
                yield event

    def _collect(self, on_stdout: Listener, on_stderr: Listener) -> CommandResult:
        end, stdout, stderr = self._client._follow("GET", _api.output_path(self._sandbox, self.pid), None, "exit", on_stdout, on_stderr)
        if end is None:
            raise TransportError("The stream ended before the program did.")
        late = self._killed_late
        return CommandResult(self.pid, stdout, stderr, 124 if late else int(end["exit_code"]), late)

    def _kill_late(self) -> None:
        # First: its end may be told before the answer to the signal.
        self._killed_late = True
        try:
            self._killed_late = self.kill()
        except RametError:
            pass  # Whoever waits for it gets an error of their own.


class Commands:
    """``sb.commands``: starts programs."""

    def __init__(self, client: Client, sandbox: str) -> None:
        self._client, self._sandbox = client, sandbox

    def run(
        self, command: Command, *, env: Optional[Mapping[str, str]] = None, cwd: Optional[str] = None, user: Optional[str] = None, stdin: Optional[str] = None,
        timeout_seconds: Optional[float] = None, on_stdout: Listener = None, on_stderr: Listener = None,
    ) -> CommandResult:
        """Runs a program to its end.

        :param command: a line for /bin/sh, or a list: the program and its arguments. :param user: USER or USER:GROUP. :param stdin: what it reads; nothing else.
        :param timeout_seconds: then it is killed, and the result has ``timed_out`` and exit code 124. :param on_stdout: called with what it prints, as it comes.
        """
        process = self.start(command, env=env, cwd=cwd, user=user, stdin=stdin)
        timer = None if timeout_seconds is None else threading.Timer(timeout_seconds, process._kill_late)
        if timer is not None:
            timer.daemon = True
            timer.start()
        try:
            return process._collect(on_stdout, on_stderr)
        except BaseException:
            # Nobody is there to take its output.
            process._kill_late()
            raise
        finally:
            if timer is not None:
                timer.cancel()

    def start(
        self, command: Command, *, env: Optional[Mapping[str, str]] = None, cwd: Optional[str] = None, user: Optional[str] = None, stdin: Optional[str] = None,
        keep_stdin: bool = False, tty: Optional[TerminalSize] = None,
    ) -> Process:
        """Starts a program and returns at once.

        :param keep_stdin: its input stays open for ``send_stdin``. :param tty: rows and columns of a terminal, such as ``(24, 80)``; its output is all stdout then.
        """
        return Process(self._client, self._sandbox, self._client._call(_api.start_process(self._sandbox, command, env, cwd, user, tty, stdin, keep_stdin)).pid)

    def attach(self, pid: int) -> Process:
        """A program that was started before, perhaps by another client. Raises NotFoundError when there is none."""
        return Process(self._client, self._sandbox, self._client._call(_api.get_process(self._sandbox, pid)).pid)

    def list(self) -> List[ProcessInfo]:
        """Programs that were started here, also the last that have ended."""
        return self._client._call(_api.list_processes(self._sandbox))
