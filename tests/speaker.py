"""Somebody whose frames are put through a FramePath, without a socket."""

from __future__ import annotations

from perpwire.api_connector.frame_path import Decoder, FramePath


class Speaker:
    """See frame_path.Speaker."""

    is_over = False

    def __init__(self, frames: FramePath, decoder: Decoder, name: str = "binance/market") -> None:
        self.name = name
        self.decoder = decoder
        self.unreadable: list[bytes] = []
        self.no_data: list[bytes] = []
        self._frames = frames

    def say(self, *frames: bytes, received_ns: int = 1) -> None:
        """They are read together."""
        self._frames.on_frames(self, frames, received_ns)

    def on_no_data(self, frame: bytes) -> None:
        self.no_data.append(frame)

    def on_unreadable(self, frame: bytes) -> None:
        self.unreadable.append(frame)
