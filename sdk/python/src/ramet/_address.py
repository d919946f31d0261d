"""Where the server is, and what every request says."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Dict, Optional
from urllib.parse import urlsplit

from ._version import __version__

DEFAULT_URL = "http://127.0.0.1:8080"


@dataclass(frozen=True)
class Address:
    """A server."""

    secure: bool
    host: str
    port: int
    #: Goes before every path.
    prefix: str
    #: Path of a Unix socket, or None.
    socket: Optional[str] = None

    @property
    def authority(self) -> str:
        """The header Host."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (443 if self.secure else 80) else f"{host}:{self.port}"

    @staticmethod
    def parse(url: Optional[str]) -> "Address":
        """Of ``url``, or RAMET_URL, or the default: http://HOST:PORT, https://HOST, or unix:/path."""
        url = url or os.environ.get("RAMET_URL") or DEFAULT_URL
        if url.startswith("unix:"):
            return Address(False, "localhost", 80, "", url[len("unix:"):])
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment or parts.username:
            raise ValueError(f"{url!r} is not the address of a server; write http://HOST:PORT, https://HOST or unix:/path.")
        return Address(parts.scheme == "https", parts.hostname, parts.port or (443 if parts.scheme == "https" else 80), parts.path.rstrip("/"))


def key_of(api_key: Optional[str]) -> Optional[str]:
    """``api_key``, or RAMET_API_KEY, or None."""
    key = api_key or os.environ.get("RAMET_API_KEY") or None
    if key and not (key.isascii() and key.isprintable()):
        raise ValueError("The key holds characters that no key has; was it copied with something around it?")
    return key


def headers_of(key: Optional[str]) -> Dict[str, str]:
    """What every request says."""
    headers = {"User-Agent": f"ramet-python/{__version__}", "Accept": "application/json"}
    if key:
        headers["Authorization"] = f"Bearer {key}"
    return headers
