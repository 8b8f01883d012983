#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes migrations as a C table for adapters/db/migrations.h.

embed_migrations.py -o OUTPUT.c --table NAME --folder FOLDER [FILE...]

The files are named NNNN_name.sql, or come as a pair NNNN_name.sqlite.sql and
NNNN_name.postgres.sql, and are numbered from 0001 on without a gap. Every .sql file of the folder
must be listed, so that none is forgotten. The output depends on the files alone.
"""

import argparse
import hashlib
import json
import re
import sys
from pathlib import Path

NAME = re.compile(r"^(\d{4})_([a-z0-9_]+)(?:\.(sqlite|postgres))?\.sql$")
DIALECTS = {"sqlite": "DB_DIALECT_SQLITE", "postgres": "DB_DIALECT_POSTGRES"}


def fail(text):
    sys.exit(f"embed_migrations.py: {text}")


def collect(folder, names):
    """{number: (name, {dialect: file name})}, checked."""
    forgotten = {path.name for path in folder.glob("*.sql")} ^ set(names)
    if forgotten:
        fail(f"{folder} and the list of its files in meson.build part over "
             f"{', '.join(sorted(forgotten))}")
    found = {}
    for file in sorted(names):
        match = NAME.match(file)
        if not match:
            fail(f"{file}: name it NNNN_name.sql, or .sqlite.sql and .postgres.sql")
        number, name, dialect = int(match[1]), match[2], match[3]
        known, texts = found.setdefault(number, (name, {}))
        for each in [dialect] if dialect else DIALECTS:
            if known != name or each in texts:
                fail(f"{file}: there is another migration {number}")
            texts[each] = file
    if sorted(found) != list(range(1, len(found) + 1)):
        fail(f"{folder}: the numbers are not 1 to {len(found)} without a gap")
    for number, (name, texts) in found.items():
        if set(texts) != set(DIALECTS):
            fail(f"{number:04}_{name}: the twin is missing")
    return found


def literal(text):
    """C string literals, a line each; JSON's escapes are C's, but for those of control characters."""
    if re.search(r"[\x00-\x09\x0b-\x1f\x7f]", text) or not text.isascii():
        fail("a migration is ASCII, without tabs and carriage returns")
    return "\n".join(f"    {json.dumps(line)}" for line in text.splitlines(keepends=True)) or '""'


def write(folder, found, table, out):
    out.write('#include "adapters/db/migrations.h"\n\n')
    for file in sorted({file for _, texts in found.values() for file in texts.values()}):
        text = (folder / file).read_bytes().decode("ascii", errors="replace")
        out.write(f"static const char sql_{file.replace('.', '_')}[] =\n{literal(text)};\n\n")
    out.write(f"const Migration {table}[] = {{\n")
    for number, (name, texts) in sorted(found.items()):
        out.write(f'    {{{number}, "{name}", {{\n')
        for dialect, file in sorted(texts.items()):
            digest = hashlib.sha256((folder / file).read_bytes()).hexdigest()
            out.write(f"        [{DIALECTS[dialect]}] = {{sql_{file.replace('.', '_')},\n"
                      f'            "{digest}"}},\n')
        out.write("    }},\n")
    out.write("    {0},\n};\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", dest="output", type=Path, required=True)
    parser.add_argument("--table", required=True)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("files", nargs="*")
    args = parser.parse_args()
    found = collect(args.folder, args.files)
    with args.output.open("w", encoding="ascii") as out:
        write(args.folder, found, args.table, out)


if __name__ == "__main__":
    main()
