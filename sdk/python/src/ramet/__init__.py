"""Client for Ramet: run untrusted code in virtual machines that fork in milliseconds.

    from ramet import Sandbox

    sb = Sandbox()
    print(sb.run("print(1 + 1)"))
"""

from ._version import __version__
from .aio import AsyncClient, AsyncProcess, AsyncSandbox
from .client import Client, exec, exec_batch
from .commands import Process
from .errors import (
    ApiError, AuthenticationError, BadRequestError, CodeError, ConflictError, NotFoundError, PermissionDeniedError, RametError, RateLimitError, RequestTimeoutError,
    ServerError, StorageFullError, TooLargeError, TransportError, UnavailableError,
)
from .models import (
    Checkpoint, CodeException, CommandOutput, CommandResult, ExecResult, FileChange, FileInfo, LogEntry, Logs, Output, ProcessInfo, RunResult, SandboxInfo, Snapshot, Template,
)
from .sandbox import Sandbox

__all__ = [
    "ApiError", "AsyncClient", "AsyncProcess", "AsyncSandbox", "AuthenticationError", "BadRequestError", "Checkpoint", "Client", "CodeError", "CodeException", "CommandOutput",
    "CommandResult", "ConflictError", "ExecResult", "FileChange", "FileInfo", "LogEntry", "Logs", "NotFoundError", "Output", "PermissionDeniedError", "Process", "ProcessInfo", "RametError",
    "RateLimitError", "RequestTimeoutError", "RunResult", "Sandbox", "SandboxInfo", "ServerError", "Snapshot", "StorageFullError", "Template", "TooLargeError", "TransportError",
    "UnavailableError", "__version__", "exec", "exec_batch",
]
