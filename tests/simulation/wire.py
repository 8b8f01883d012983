# SPDX-License-Identifier: Apache-2.0
"""A TCP line to a server of 127.0.0.1 that can be cut and mended."""

import contextlib
import socket
import threading


class Wire:
    def __init__(self, port):
        self.upstream = ("127.0.0.1", port)
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock, self.whole, self.ends = threading.Lock(), True, set()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self):
        """Ends what is connected, and refuses what comes."""
        with self.lock:
            self.whole = False
            ends, self.ends = self.ends, set()
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def mend(self):
        with self.lock:
            self.whole = True

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
            with socket.create_connection(self.upstream) as server:
                with self.lock:
                    if not self.whole:
                        return
                    self.ends |= {client, server}
                back = threading.Thread(target=self._pump, args=(server, client), daemon=True)
                back.start()
                self._pump(client, server)
                back.join()
                with self.lock:
                    self.ends -= {client, server}

    @staticmethod
    def _pump(source, target):
        with contextlib.suppress(OSError):
            while piece := source.recv(65536):
                target.sendall(piece)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
