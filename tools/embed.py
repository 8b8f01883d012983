#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes files as a C table for src/app/assets.h: embed.py -o OUTPUT.c FILE...

index.html is found under "/", any other file under its own name; those of account/ are found there,
pages without their .html. Indentation, blank lines and
comments that fill or end lines are left out of scripts, styles and markup, and blanks around
punctuation out of styles. The output depends on the files alone.
"""

import argparse
import hashlib
import re
import sys
from pathlib import Path

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".yaml": "application/yaml",
}
SQUEEZED = {".css", ".html", ".js"}
COMMENTS = {"/*": "*/", "<!--": "-->"}


def squeeze(text):
    kept, until = [], None
    for line in text.splitlines():
        line = line.strip()
        if until is None:
            until = next((end for start, end in COMMENTS.items() if line.startswith(start)), None)
            if until and until in line[:-len(until)]:
                until = None  # something follows the comment: the line stays as it is
            elif until is None and line.startswith("//"):
                continue
        if until is None:
            if line:
                kept.append(re.sub(r"\s*/\* [^*]* \*/$", "", line))
        elif line.endswith(until):
            until = None
    return "\n".join(kept) + "\n"


def squeeze_style(text):
    """Also without the blanks around punctuation; a blank before ':' tells selectors apart."""
    return re.sub(r";}", "}", re.sub(r"\s*([{};,])\s*|(:)\s+", r"\1\2", text))


def url_of(path):
    folder = "/account/" if path.parent.name == "account" else "/"
    if path.name == "index.html":
        return folder.rstrip("/") or "/"
    return folder + (path.stem if folder != "/" and path.suffix == ".html" else path.name)


def write(files, out):
    out.write('#include "app/assets.h"\n\n')
    table = []
    for i, path in enumerate(files):
        data = path.read_bytes()
        if path.suffix in SQUEEZED:
            text = squeeze(data.decode("utf-8"))
            text = squeeze_style(text) if path.suffix == ".css" else text
            data = text.encode("utf-8")
        out.write(f"static const unsigned char bytes_{i}[] = {{\n")
        for at in range(0, len(data), 20):
            out.write(",".join(map(str, data[at:at + 20])) + ",\n")
        out.write("};\n")
        etag = hashlib.sha256(data).hexdigest()[:16]
        table.append(f'    {{"{url_of(path)}", "{CONTENT_TYPES[path.suffix]}", bytes_{i}, '
                     f'sizeof(bytes_{i}), "\\"{etag}\\""}},\n')
    out.write("\nconst Asset assets[] = {\n" + "".join(table) + "    {0},\n};\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", dest="output", type=Path, required=True)
    parser.add_argument("files", type=Path, nargs="+")
    args = parser.parse_args()
    for path in args.files:
        if path.suffix not in CONTENT_TYPES:
            sys.exit(f"embed.py: no content type for {path}")
    with args.output.open("w", encoding="ascii") as out:
        write(sorted(args.files, key=url_of), out)


if __name__ == "__main__":
    main()
