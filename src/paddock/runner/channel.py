"""One connection between server and runner: a pair of sockets of which the child inherits one as a descriptor.

No path, so nothing to clean up; and when either process ends, in whatever way, the other reads the end of the stream. Nothing
is kept in between beyond the kernel's buffers and one frame: whoever sends faster than the other reads waits.

This is the runner's end. The server's is `fleet/channel.py`: a runner starts faster without asyncio.
"""

import contextlib
import socket
import threading

from paddock.runner.messages import HEADER_BYTES, TO_RUNNER, ToRunner, ToServer, body_length, decode, encode


class RunnerChannel:
    """Blocking calls. Any thread may send; one thread receives."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._socket.setblocking(True)
        self._sending = threading.Lock()

    def send(self, message: ToServer) -> None:
        """Hand `message` over; waits while the server does not read. Raises OSError when the server is gone."""
        frame = encode(message)
        with self._sending:
            self._socket.sendall(frame)

    def receive(self) -> ToRunner | None:
        """The next message; None when the server is gone. Raises ProtocolError."""
        header = self._read(HEADER_BYTES)
        if not header:
            return None
        length = body_length(header)
        body = self._read(length)
        if length and not body:
            return None
        return decode(TO_RUNNER, body)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # the other side may have closed it already
            self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _read(self, length: int) -> bytes:
        """Exactly `length` bytes; none when the stream ends before."""
        data = bytearray(length)
        view, filled = memoryview(data), 0
        while filled < length:
            try:
                count = self._socket.recv_into(view[filled:])
            except OSError:  # reset, or closed by our own shutdown
                return b""
            if not count:
                return b""
            filled += count
        return bytes(data)
