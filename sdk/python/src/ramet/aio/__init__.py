"""The same for asyncio programs."""

from .client import AsyncClient
from .commands import AsyncCommands, AsyncProcess
from .files import AsyncFiles
from .sandbox import AsyncSandbox

__all__ = ["AsyncClient", "AsyncCommands", "AsyncFiles", "AsyncProcess", "AsyncSandbox"]
