# SPDX-License-Identifier: Apache-2.0
"""Checksums, and folders that are there completely or not at all."""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from errors import PrepareError


def sha256_bytes(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


@contextlib.contextmanager
def explain_disk_errors(where: Path) -> Iterator[None]:
    """Turns the errors of a full or read-only disk into a sentence about `where`."""
    try:
        yield
    except OSError as e:
        if e.errno in (errno.ENOSPC, errno.EDQUOT):
            raise PrepareError(f"no space left in {where}: free about 1 GB there, "
                               "or name another folder with --out") from e
        if e.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise PrepareError(f"cannot write in {where} ({e.strerror}): "
                               "name another folder with --out") from e
        raise


@contextlib.contextmanager
def scratch_folder(out: Path) -> Iterator[Path]:
    """A temporary folder inside `out`, on the same file system so that rename() can publish from
    it. It is removed however the block ends."""
    with explain_disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
        path = Path(tempfile.mkdtemp(prefix=".preparing-", dir=out))
    try:
        with explain_disk_errors(out):
            yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


def publish(folder: Path, target: Path) -> None:
    """Puts `folder` in place of `target`.

    A reader sees the old folder or the new one. POSIX cannot exchange two folders in one portable
    step, so for the moment between the two renames it may see none; it never sees a mixture. What
    was there before is put back if the second rename fails. `folder` and `target` are on the same
    file system.
    """
    for path in folder.iterdir():
        with path.open("rb") as f:
            os.fsync(f.fileno())
    folder.chmod(0o755)  # mkdtemp's 0700 would hide the model from a service user
    old = Path(tempfile.mkdtemp(prefix=".old-", dir=target.parent))
    try:
        if target.exists():
            target.rename(old / target.name)
        try:
            folder.rename(target)
        except OSError:
            if (old / target.name).exists():
                (old / target.name).rename(target)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)
