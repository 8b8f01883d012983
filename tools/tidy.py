#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks what the compiler cannot: the law of layers, banned functions, sizes and headers.

app -> services -> core -> base; adapters, imaging and inference -> core, base; only app knows
adapters, imaging and inference; services never include a sibling. Exits 1 with a line per finding.
"""

import re
import subprocess
import sys
from pathlib import Path

# Which folders of src/ a folder may include, itself always among them.
ARROWS = {
    "base": [],
    "core": ["base"],
    "imaging": ["core", "base"],
    "inference": ["core", "base"],
    "services": ["core", "base"],
    "adapters": ["core", "base"],
    "app": ["services", "adapters", "imaging", "inference", "core", "base"],
}
# A library header and the only folders that may include it.
ONLY_IN = {
    "vips/": ["imaging"],
    "openvino/": ["inference"],
    "microhttpd.h": ["base"],
    "gnutls/": ["base"],
    "curl/": ["base", "adapters/mail/smtp"],
    "sodium.h": ["base"],
    "hiredis/": ["adapters/cache/redis"],
    "sqlite3.h": ["adapters/db/sqlite"],
    "fido": ["services/user/passkey"],
    "cbor.h": ["services/user/passkey"],
    "idn2.h": ["services/user"],
    "archive": ["core/archive", "services/user/privacy"],
    "libpq-fe.h": ["adapters/db/postgres"],
    "libxml/": ["adapters/blobs/s3"],
    "amqp": ["adapters/queue/rabbitmq"],
    "librdkafka/": ["adapters/events/kafka"],
}
BANNED = re.compile(r"\b(strcpy|strcat|sprintf|vsprintf|atoi|atol|atof|strtok|gets|alloca)\s*\(")
LINES_MAX = 600
FUNCTION_MAX = 70
COLUMNS_MAX = 100

INCLUDE = re.compile(r'^\s*#\s*include\s+(["<])([^">]+)[">]')


def tracked(*patterns):
    out = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        capture_output=True, text=True, check=True).stdout
    return [Path(line) for line in out.splitlines() if Path(line).is_file()]


def check_include(path, quote, target):
    parts = path.parts[1:]  # below src/
    layer = parts[0]
    folder = "/".join(parts[:-1]) + "/"
    for prefix, owners in ONLY_IN.items():
        if quote == "<" and target.startswith(prefix) and not any(
                folder.startswith(owner + "/") for owner in owners):
            yield f"only src/{'/ and src/'.join(owners)}/ may include <{target}>"
    if quote == "<":
        return
    if "/" not in target:
        yield f'name the folder: "{layer}/.../{target}"'
        return
    other = target.split("/")[0]
    if other != layer and other not in ARROWS[layer]:
        yield f'src/{layer}/ must not include "{target}"'
    if layer == "services" and other == "services" and target.split("/")[1] != parts[1]:
        yield f'a service must not include its sibling: "{target}"'
    if layer == "adapters" and other == "adapters" and target.split("/")[1:3] != list(parts[1:3]):
        if target.split("/")[1] != parts[1]:
            yield f'an adapter must not include another: "{target}"'


def function_lengths(lines):
    start = None
    for number, line in enumerate(lines, 1):
        if start is None and re.match(r"^[A-Za-z_].*\)\s*\{$|^ {4,}\S.*\)\s*\{$", line) and (
                not line.startswith(" ") or continues(lines, number)):
            start = number
        elif start is not None and line == "}":
            yield start, number - start + 1
            start = None


def continues(lines, number):
    """Whether an indented line that ends with `) {` closes a function head begun at column 0."""
    for back in range(number - 2, max(-1, number - 8), -1):
        line = lines[back]
        if line and not line.startswith(" "):
            return bool(re.match(r"^[A-Za-z_][\w \*]*\(", line)) and not line.endswith(";")
        if line.endswith((";", "{", "}")):
            return False
    return False


def check(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or "SPDX-License-Identifier: Apache-2.0" not in "\n".join(lines[:2]):
        yield 1, "the first line must be the SPDX line"
    if len(lines) > LINES_MAX:
        yield LINES_MAX, f"{len(lines)} lines: split the file by {LINES_MAX}"
    if path.suffix == ".h" and not any(line == "#pragma once" for line in lines[:4]):
        yield 1, "a header starts with #pragma once"
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS_MAX:
            yield number, f"{len(line)} columns, at most {COLUMNS_MAX}"
        if BANNED.search(line):
            yield number, f"banned function: {BANNED.search(line).group(1)}"
        if re.search(r"\b(TODO|FIXME|XXX)\b", line) or re.match(r"\s*// ", line):
            yield number, "left-over note"
        include = INCLUDE.match(line)
        if include and path.parts[0] == "src":
            yield from ((number, text) for text in check_include(path, *include.groups()))
    if path.suffix == ".c":
        for start, length in function_lengths(lines):
            if length > FUNCTION_MAX:
                yield start, f"a function of {length} lines: split it by {FUNCTION_MAX}"


def main():
    findings = 0
    files = tracked("src/*.c", "src/*.h", "tests/*.c", "tests/*.h", "bench/*.c")
    for path in files:
        for line, text in check(path):
            print(f"{path}:{line}: {text}")
            findings += 1
    print(f"tidy: {len(files)} files, {findings} findings")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
