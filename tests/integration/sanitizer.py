# SPDX-License-Identifier: Apache-2.0
"""Whatever a binary that was built with sanitizers reports fails the test in which it does.

Processes write their reports to files of their own, however they end and whoever reads their
standard error. Those in a sandbox may open none and write to standard error, which is a server's
log; so does UBSan, whose runtime is another beside ASan's: it aborts, which ASan reports."""

import os
import re
import tempfile
from pathlib import Path

# By the runtime that the binary is linked with. A server goes on after a race: the next test needs
# it. Of libraries that were built without ThreadSanitizer it does not see what they lock.
OPTIONS = {
    b"libasan.so": ("ASAN_OPTIONS", "detect_leaks=1:abort_on_error=1:handle_abort=1"),
    b"libubsan.so": ("UBSAN_OPTIONS", "halt_on_error=1:abort_on_error=1:print_stacktrace=1"),
    b"libtsan.so": ("TSAN_OPTIONS", "halt_on_error=0:ignore_noninstrumented_modules=1"),
}
REPORT = re.compile(r"(Address|Leak|Thread|UndefinedBehavior)Sanitizer|: runtime error: ")

_folder = None
_logs = {}  # a server's log: how far it was read
_found = []


def watch(binary):
    """To be called before anything takes a copy of our environment."""
    global _folder
    contents = binary.read_bytes() if binary.exists() else b""
    for runtime, (name, options) in OPTIONS.items():
        if runtime in contents:
            _folder = _folder or tempfile.TemporaryDirectory(prefix="imagesync-reports-")
            # UBSan's too: as it starts it sets ASan's.
            os.environ[name] = f"{options}:log_path={_folder.name}/report"


def kept_mib():
    """What a process may have besides: memory that was freed stays, so that its use is noticed."""
    return 400 if _folder else 0


def follow(log):
    """A server is about to write that file anew."""
    if _folder:
        _read(log)
        _logs[log] = 0


def _read(log):
    if log in _logs and log.exists():
        with open(log, errors="replace") as file:
            file.seek(_logs[log])
            text = file.read()
            _logs[log] = file.tell()
        if REPORT.search(text):
            _found.append(text)


def check():
    """Fails when anything was reported since it was last asked."""
    if not _folder:
        return
    for log in _logs:
        _read(log)
    for path in sorted(Path(_folder.name).iterdir()):
        _found.append(path.read_text(errors="replace"))
        path.unlink()
    text = "\n".join(_found)
    _found.clear()
    assert not text, f"a sanitizer reports:\n{text}"
