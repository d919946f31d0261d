"""A sandbox that lives on between calls."""

from __future__ import annotations

import os
import weakref
from typing import Any, Callable, Dict, List, Mapping, Optional, TypeVar, Union

from . import _api
from ._api import Call
from .client import Client, client_for
from .commands import Commands
from .errors import RametError
from .files import Files
from .models import Checkpoint, Logs, RunResult, SandboxInfo, Snapshot, Template

T = TypeVar("T")


class Sandbox:
    """A virtual machine with a warm interpreter, processes and files.

        sb = Sandbox()
        print(sb.run("print(1 + 1)"))

    It is made at once. It ends by :meth:`delete`, when it is left as a context manager, when its ``timeout_seconds`` (300) are over, and when this object, or the program,
    goes; :meth:`detach` keeps it from the last, so that :meth:`connect` can find it later.

    :param template: what to fork; :param language: the language, if no template is named (python).
    :param snapshot: a saved sandbox, to go on from there. :param image: an image, for a sandbox without an interpreter of Ramet's.
    :param memory_mb: limit for programs and the files that they write. :param timeout_seconds: when it ends by itself; :meth:`extend` sets it anew.
    :param metadata: names and values of your own; ``Client.sandboxes`` filters by them. :param env: variables for all that runs in it. :param cwd: where it begins.
    :param network: what it may reach: ``none`` or ``loopback``. :param auto_pause_seconds: pause it when nothing was asked of it for so long; the next use resumes it.
    :param checkpoint_every_run: make a checkpoint before each run.
    :param limits: further ones, such as ``{"processes": 64, "open_files": 1024}``. :param max_output: bytes that a run or a process may print. :param client: the server; or name it by ``url`` and ``api_key``, or in the environment.
    """

    def __init__(
        self, template: Optional[str] = None, *, language: Optional[str] = None, snapshot: Union[str, Snapshot, None] = None, image: Optional[str] = None,
        memory_mb: Optional[int] = None, timeout_seconds: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None, env: Optional[Mapping[str, str]] = None,
        cwd: Optional[str] = None, network: Optional[str] = None, auto_pause_seconds: Optional[float] = None, checkpoint_every_run: Optional[bool] = None,
        limits: Optional[Mapping[str, int]] = None, max_output: Optional[int] = None,
        client: Optional[Client] = None, url: Optional[str] = None, api_key: Optional[str] = None,
    ) -> None:
        found = client_for(client, url, api_key)
        info = found._call(_api.create(
            template=template, language=language, snapshot=snapshot, image=image, memory_mb=memory_mb, timeout_seconds=timeout_seconds, metadata=metadata, env=env, cwd=cwd,
            network=network, auto_pause_seconds=auto_pause_seconds, checkpoint_every_run=checkpoint_every_run,
            limits=limits, max_output=max_output))
        self._begin(found, info.id, owned=True)

    def _begin(self, client: Client, id: str, owned: bool) -> None:
        self._client = client
        self._id = id
        self._finalizer: Optional[Any] = weakref.finalize(self, _let_go, client, id, os.getpid()) if owned else None
        self.files = Files(client, id)
        self.commands = Commands(client, id)

    @classmethod
    def connect(cls, id: str, *, client: Optional[Client] = None, url: Optional[str] = None, api_key: Optional[str] = None) -> "Sandbox":
        """A sandbox that there is already. It lives on when this object goes. Raises NotFoundError when it is over."""
        found = client_for(client, url, api_key)
        return cls._of(found, found.get_sandbox(id).id, owned=False)

    @classmethod
    def _of(cls, client: Client, id: str, owned: bool) -> "Sandbox":
        sandbox = cls.__new__(cls)
        sandbox._begin(client, id, owned)
        return sandbox

    @property
    def id(self) -> str:
        """Names it at the server."""
        return self._id

    def run(
        self, code: str, *, timeout_seconds: Optional[float] = None, env: Optional[Mapping[str, Optional[str]]] = None, cwd: Optional[str] = None,
        on_stdout: Optional[Callable[[str], object]] = None, on_stderr: Optional[Callable[[str], object]] = None,
    ) -> RunResult:
        """Runs code in the warm interpreter. Names stay defined from run to run; one run at a time.

        :param timeout_seconds: then the code gets KeyboardInterrupt, and the sandbox lives on. :param env: variables to set, for good; None removes one.
        :param cwd: directory to change to, for good. :param on_stdout: called with what is printed, as it is printed. An exception of it interrupts the code.
        """
        call = _api.run(self._id, code, timeout_seconds, env, cwd)
        if on_stdout is None and on_stderr is None:
            return self._call(call)
        return self._client._stream(call, RunResult.of, on_stdout, on_stderr)

    def info(self) -> SandboxInfo:
        """State, memory, and when it ends."""
        return self._call(_api.get(self._id))

    def extend(self, timeout_seconds: float) -> SandboxInfo:
        """It is to end after this time from now."""
        return self._call(_api.update(self._id, timeout_seconds, None))

    def set_metadata(self, metadata: Mapping[str, str]) -> SandboxInfo:
        """Replaces what is noted with it."""
        return self._call(_api.update(self._id, None, metadata))

    def pause(self) -> SandboxInfo:
        """Stops it; its memory is kept. Until it is resumed nothing else can be asked of it (409)."""
        return self._call(_api.pause(self._id))

    def resume(self) -> SandboxInfo:
        """Lets it go on."""
        return self._call(_api.resume(self._id))

    def fork(self, count: int = 1, *, timeout_seconds: Optional[float] = None, metadata: Optional[Mapping[str, str]] = None) -> "List[Sandbox]":
        """So many copies of it as it is now, with its variables, files and processes. It goes on itself."""
        return [Sandbox._of(self._client, one.id, owned=True) for one in self._call(_api.fork(self._id, count, timeout_seconds, metadata))]

    def save_template(self, name: str) -> Template:
        """Makes a template of it as it is now: ``Sandbox(template=name)`` has all that it has imported and defined. Nothing may run in it; it goes on."""
        return self._call(_api.create_template(name, self._id))

    def snapshot(self, name: Optional[str] = None) -> Snapshot:
        """Saves it as it is now. ``Sandbox(snapshot=...)`` goes on from there, also after the server was restarted."""
        return self._call(_api.snapshot(self._id, name))

    def checkpoint(self, name: Optional[str] = None) -> Checkpoint:
        """Notes this moment, for :meth:`rewind` and :meth:`diff`."""
        return self._call(_api.checkpoint(self._id, name))

    def checkpoints(self) -> List[Checkpoint]:
        """The moments that were noted."""
        return self._call(_api.checkpoints(self._id))

    def delete_checkpoint(self, checkpoint: Union[str, Checkpoint]) -> None:
        """Forgets a moment."""
        self._call(_api.delete_checkpoint(self._id, _name(checkpoint)))

    def rewind(self, checkpoint: Union[str, Checkpoint]) -> None:
        """Takes everything, memory and files, back to that moment."""
        self._call(_api.rewind(self._id, _name(checkpoint)))

    def diff(self, start: Union[str, Checkpoint, None] = None, end: Union[str, Checkpoint, None] = None, *, content: bool = False) -> Dict[str, Any]:
        """What has changed from one checkpoint to another, or to now. ``content`` also gives the contents of files."""
        return self._call(_api.diff(self._id, start and _name(start), end and _name(end), content))

    def metrics(self) -> Dict[str, Any]:
        """What it has used: CPU, memory, and more."""
        return self._call(_api.metrics(self._id))

    def logs(self) -> Logs:
        """What happened to it, and the last output of its interpreter, also between runs."""
        return self._call(_api.logs(self._id))

    def detach(self) -> str:
        """It shall live on when this object goes, until its time is over. Returns its id."""
        if self._finalizer is not None:
            self._finalizer.detach()
        return self._id

    def delete(self) -> None:
        """Ends it. Raises NotFoundError when it is over already."""
        self.detach()
        self._call(_api.delete(self._id))

    def __enter__(self) -> "Sandbox":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Ends it, if it is not over."""
        self.detach()
        try:
            self._call(_api.delete(self._id))
        except RametError as error:
            if getattr(error, "status", None) != 404:
                raise

    def __repr__(self) -> str:
        return f"<Sandbox {self._id}>"

    def _call(self, call: "Call[T]") -> T:
        return self._client._transport.call(call)


def _name(checkpoint: Union[str, Checkpoint]) -> str:
    return checkpoint if isinstance(checkpoint, str) else checkpoint.id


def _let_go(client: Client, id: str, pid: int) -> None:
    # A child of fork(2) has this object too, and is not the one that made the sandbox.
    if os.getpid() != pid:
        return
    try:
        # On a connection of its own: garbage may be collected while a lock of the others is held.
        client._transport.alone("DELETE", _api.delete(id).path)
    except Exception:
        pass  # Its time will be over.
