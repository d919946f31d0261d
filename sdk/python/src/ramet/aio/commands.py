"""Programs in a sandbox, for asyncio programs."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, AsyncIterator, List, Mapping, Optional, Union

from .. import _api
from .._api import Command, TerminalSize
from .._events import Event
from ..errors import ConflictError, RametError, TransportError
from ..models import CommandOutput, CommandResult, ProcessInfo
from .client import Listener

if TYPE_CHECKING:
    from .sandbox import AsyncSandbox


class AsyncProcess:
    """A program that was started. It goes on when this object goes; ``sb.commands.attach(pid)`` finds it again."""

    def __init__(self, sandbox: "AsyncSandbox", pid: int) -> None:
        self._sandbox = sandbox
        #: Its number in the sandbox.
        self.pid = pid
        self._killed_late = False

    async def info(self) -> ProcessInfo:
        """Whether it runs, and its exit code."""
        return await self._sandbox._call(_api.get_process(self._sandbox.id, self.pid))

    async def output(self) -> AsyncIterator[CommandOutput]:
        """What it prints, as it comes, until it ends: first what was kept (the last MiB)."""
        async for name, data in self._events():
            if name in ("stdout", "stderr"):
                yield CommandOutput(name, str(data["text"]))

    async def wait(self, timeout: Optional[float] = None, *, on_stdout: Listener = None, on_stderr: Listener = None) -> CommandResult:
        """Waits for its end, and gives what it has printed. After ``timeout`` seconds it raises TimeoutError, and the program goes on."""
        try:
            return await asyncio.wait_for(self._collect(on_stdout, on_stderr), timeout)
        except asyncio.TimeoutError:
            raise TimeoutError(f"Process {self.pid} runs still after {timeout} s.") from None

    async def kill(self, signal: Union[str, int] = "KILL") -> bool:
        """Sends it and its group a signal, such as "TERM" or 15. False: it has ended already."""
        try:
            await self._sandbox._call(_api.signal_process(self._sandbox.id, self.pid, signal))
            return True
        except ConflictError:
            return False

    async def send_stdin(self, data: Union[str, bytes]) -> None:
        """Gives it input. It must have been started with ``keep_stdin`` or a terminal."""
        await self._write(data.encode() if isinstance(data, str) else bytes(data), close=False)

    async def close_stdin(self) -> None:
        """It reads the end of the file."""
        await self._write(b"", close=True)

    async def resize(self, rows: int, columns: int) -> None:
        """Sets the size of its terminal anew."""
        await self._sandbox._call(_api.resize_process(self._sandbox.id, self.pid, rows, columns))

    def __repr__(self) -> str:
        return f"<AsyncProcess {self.pid} of {self._sandbox.id}>"

    async def _write(self, body: bytes, close: bool) -> None:
        target = _api.stdin_path(self._sandbox.id, self.pid, close)
        async with await self._sandbox._client._transport.send("POST", target, body, content_type="application/octet-stream") as response:
            await response.read()

    async def _events(self) -> AsyncIterator[Event]:
        async with await self._sandbox._client._transport.events("GET", _api.output_path(self._sandbox.id, self.pid)) as stream:
            async for event in stream.events():
                yield event

    async def _collect(self, on_stdout: Listener, on_stderr: Listener) -> CommandResult:
        end, stdout, stderr = await self._sandbox._client._follow("GET", _api.output_path(self._sandbox.id, self.pid), None, "exit", on_stdout, on_stderr)
        if end is None:
            raise TransportError("The stream ended before the program did.")
        late = self._killed_late
        return CommandResult(self.pid, stdout, stderr, 124 if late else int(end["exit_code"]), late)

    async def _kill_later(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
        # First: its end may be told before the answer to the signal.
        self._killed_late = True
        self._killed_late = await self.kill()


async def _kill(starting: "asyncio.Task[AsyncProcess]") -> None:
    """Ends a program for whose end nobody waits any more, if it starts at all."""

    async def end() -> None:
        await (await starting).kill()

    try:
        await asyncio.shield(asyncio.wait_for(end(), 5))
    except (RametError, asyncio.TimeoutError):
        pass


class AsyncCommands:
    """``sb.commands``: starts programs."""

    def __init__(self, sandbox: "AsyncSandbox") -> None:
        self._sandbox = sandbox

    async def run(
        self, command: Command, *, env: Optional[Mapping[str, str]] = None, cwd: Optional[str] = None, user: Optional[str] = None, stdin: Optional[str] = None,
        timeout_seconds: Optional[float] = None, on_stdout: Listener = None, on_stderr: Listener = None,
    ) -> CommandResult:
        """Runs a program to its end, as :meth:`ramet.commands.Commands.run`. Cancelling it kills the program."""
        starting = asyncio.ensure_future(self.start(command, env=env, cwd=cwd, user=user, stdin=stdin))
        try:
            process = await asyncio.shield(starting)
        except asyncio.CancelledError:
            # It may start nevertheless, and nobody would know its number.
            await _kill(starting)
            raise
        timer = None if timeout_seconds is None else asyncio.ensure_future(process._kill_later(timeout_seconds))
        try:
            return await process._collect(on_stdout, on_stderr)
        except BaseException:
            await _kill(starting)
            raise
        finally:
            if timer is not None:
                timer.cancel()
                await asyncio.gather(timer, return_exceptions=True)

    async def start(
        self, command: Command, *, env: Optional[Mapping[str, str]] = None, cwd: Optional[str] = None, user: Optional[str] = None, stdin: Optional[str] = None,
        keep_stdin: bool = False, tty: Optional[TerminalSize] = None,
    ) -> AsyncProcess:
        """Starts a program and returns at once."""
        id = await self._sandbox._ready()
        return AsyncProcess(self._sandbox, (await self._sandbox._call(_api.start_process(id, command, env, cwd, user, tty, stdin, keep_stdin))).pid)

    async def attach(self, pid: int) -> AsyncProcess:
        """A program that was started before. Raises NotFoundError when there is none."""
        return AsyncProcess(self._sandbox, (await self._sandbox._call(_api.get_process(await self._sandbox._ready(), pid))).pid)

    async def list(self) -> List[ProcessInfo]:
        """Programs that were started here, also the last that have ended."""
        return await self._sandbox._call(_api.list_processes(await self._sandbox._ready()))
