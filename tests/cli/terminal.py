# SPDX-License-Identifier: Apache-2.0
"""A terminal that a program is run on, and all that it shows there."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time


class Terminal:
    def __init__(self, command, env, cwd, columns=100):
        self.shown = b""
        self.fd, inner = pty.openpty()
        fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        self.process = subprocess.Popen(command, env=env, cwd=cwd, stdin=inner, stdout=inner,
                                        stderr=inner, start_new_session=True)
        os.close(inner)

    def type(self, keys):
        os.write(self.fd, keys.encode())

    def read(self, seconds):
        """Reads what comes within that time; false at the end of the output."""
        if select.select([self.fd], [], [], seconds)[0]:
            try:
                some = os.read(self.fd, 65536)
            except OSError:  # what Linux says when the other side has closed
                return False
            self.shown += some
            return some != b""
        return True

    def read_until(self, condition, seconds=60):
        end = time.monotonic() + seconds
        while not condition():
            assert self.read(0.05) and time.monotonic() < end, self.shown

    def finish(self, seconds=60):
        """Reads to the end; the exit status and what was shown."""
        end = time.monotonic() + seconds
        while self.read(0.05):
            assert time.monotonic() < end, self.shown
        return self.process.wait(timeout=seconds), self.shown.decode()

    def close(self):
        os.close(self.fd)
        self.process.kill()
        self.process.wait(timeout=30)
