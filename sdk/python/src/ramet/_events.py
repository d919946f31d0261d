"""Server-sent events (the HTML standard's text/event-stream)."""

from __future__ import annotations

import json
from typing import Any, Dict, Iterator, List, Tuple

Event = Tuple[str, Dict[str, Any]]


class EventParser:
    """Takes bytes as they come, and gives events when they are complete."""

    def __init__(self) -> None:
        self._rest = b""
        self._name = "message"
        self._data: List[str] = []

    def feed(self, piece: bytes) -> Iterator[Event]:
        """Events that this piece completes."""
        lines = (self._rest + piece).split(b"\n")
        self._rest = lines.pop()
        for line in lines:
            text = line.rstrip(b"\r").decode("utf-8", "replace")
            if text:
                self._field(text)
            elif self._data:
                event = (self._name, json.loads("\n".join(self._data)))
                self._name, self._data = "message", []
                yield event
            else:
                self._name = "message"

    def _field(self, text: str) -> None:
        name, _, value = text.partition(":")
        value = value[1:] if value.startswith(" ") else value
        if name == "event":
            self._name = value
        elif name == "data":
            self._data.append(value)
