# SPDX-License-Identifier: Apache-2.0
"""A TCP line to a server of 127.0.0.1 that fails in the ways in which lines do, and is mended.

    refused  what is connected ends, and nobody else gets in
    reset    the same, and who is connected is told so by an RST
    silent   who is connected stays so, who comes gets in, and nothing passes: when it is mended
             what was sent meanwhile arrives, late
    slow     all passes, in pieces and after a while
"""

import contextlib
import socket
import struct
import threading
import time

WAYS = ("refused", "reset", "silent", "slow")
PIECE, SLOW_PIECE, SLOW_S = 65536, 1000, 0.005
RESETS = struct.pack("ii", 1, 0)  # SO_LINGER: nothing is waited for


class Wire:
    """`port`: of the server; or what tells it, when it is another after each start."""

    def __init__(self, port):
        self.find_port = port if callable(port) else lambda: port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.changed, self.way, self.ends = threading.Condition(), None, set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self, way="refused"):
        with self.changed:
            self.way = way
            self.changed.notify_all()
            ends = set(self.ends) if way in ("refused", "reset") else ()
        for end in ends:
            self._end(end)

    def mend(self):
        with self.changed:
            self.way = None
            self.changed.notify_all()

    def close(self):
        self.cut()
        self.listener.shutdown(socket.SHUT_RDWR)  # which ends who waits in accept()
        self.listener.close()

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, contextlib.suppress(OSError):
            if not self._passes(0):
                return
            with socket.create_connection(("127.0.0.1", self.find_port())) as server:
                with self.changed:
                    if self.way in ("refused", "reset"):
                        return
                    self.ends |= {client, server}
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server)
                back.join()
                with self.changed:
                    self.ends -= {client, server}

    def _passes(self, size):
        """Whether that many bytes may, once they may."""
        with self.changed:
            self.changed.wait_for(lambda: self.way != "silent")
            way = self.way
        if way == "slow":
            time.sleep(SLOW_S * size / SLOW_PIECE)
        return way not in ("refused", "reset")

    def _pump(self, source, target):
        with contextlib.suppress(OSError):
            while piece := source.recv(SLOW_PIECE if self.way == "slow" else PIECE):
                if not self._passes(len(piece)):
                    break
                target.sendall(piece)
        for end in (source, target):
            self._end(end)

    def _end(self, end):
        """Of it nothing more comes; with an RST when it is closed, which a FIN must not precede."""
        with contextlib.suppress(OSError):
            if self.way == "reset":
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESETS)
                end.shutdown(socket.SHUT_RD)
            else:
                end.shutdown(socket.SHUT_RDWR)
