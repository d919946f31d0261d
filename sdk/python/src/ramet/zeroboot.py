"""For programs that were written for zeroboot: change the import, and name the server.

    from ramet.zeroboot import Sandbox

    sb = Sandbox("rmt_live_...", base_url="http://127.0.0.1:8080")
    result = sb.run("print(1 + 1)")
    result.stdout, result.stderr, result.exit_code, result.fork_time_ms, result.exec_time_ms, result.total_time_ms

Each run has a fork of its own, and errors are RuntimeError, as there. ``from ramet import Sandbox`` has more to offer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Optional

from .client import Client
from .errors import ApiError, RametError
from .models import ExecResult

__all__ = ["Result", "Sandbox"]


@dataclass
class Result:
    """What code came to. ``str()`` of it is what was printed."""

    id: str = ""
    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    fork_time_ms: float = 0.0
    exec_time_ms: float = 0.0
    total_time_ms: float = 0.0

    def __str__(self) -> str:
        return self.stdout[:-1] if self.stdout.endswith("\n") else self.stdout


class Sandbox:
    """Runs code, each piece in a fork of its own. Without ``base_url`` the environment's RAMET_URL counts, or http://127.0.0.1:8080."""

    def __init__(self, api_key: Optional[str] = None, base_url: Optional[str] = None) -> None:
        self._client = Client(base_url, api_key)

    def run(self, code: str, language: str = "python", timeout: float = 30) -> Result:
        """Runs code. ``timeout`` is in seconds."""
        try:
            return _result(self._client.exec(code, language=language, timeout_seconds=timeout))
        except RametError as error:
            raise _runtime_error(error) from error

    def run_batch(self, codes: List[str], language: str = "python", timeout: float = 30) -> List[Result]:
        """Runs several pieces of code, several at the same time. Results are in the same order."""
        try:
            return [_result(one) for one in self._client.exec_batch(codes, language=language, timeout_seconds=timeout)]
        except RametError as error:
            raise _runtime_error(error) from error


def _result(one: ExecResult) -> Result:
    return Result(one.id, one.stdout, one.stderr, one.exit_code, one.fork_time_ms, one.exec_time_ms, one.total_time_ms)


def _runtime_error(error: RametError) -> RuntimeError:
    return RuntimeError(f"API error ({error.status}): {error.detail}" if isinstance(error, ApiError) else str(error))
