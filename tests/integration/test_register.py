# SPDX-License-Identifier: Apache-2.0
"""docs/operations/privacy.md names every table and every setting that says how long things are kept."""

import re

from harness import ROOT

TEXT = (ROOT / "docs" / "operations" / "privacy.md").read_text()


def test_every_table_is_in_the_register():
    tables = {name for path in (ROOT / "db" / "migrations").glob("*.sql")
              for name in re.findall(r"CREATE TABLE (\w+)", path.read_text())}
    assert len(tables) > 20
    assert not {name for name in tables if f"`{name}`" not in TEXT}


def test_it_names_no_table_that_is_not_there():
    migrations = "".join(path.read_text() for path in (ROOT / "db" / "migrations").glob("*.sql"))
    assert not {name for name in re.findall(r"`(user_\w+)`", TEXT)
                if f"CREATE TABLE {name} " not in migrations}


def test_its_settings_are_there():
    settings = "".join((ROOT / "src" / path).read_text() for path in (
        "app/settings.c", "services/user/settings.c", "services/image/settings.c",
        "services/sync/settings.c"))
    flags = set(re.findall(r"`--([a-z-]+)", TEXT))
    assert len(flags) > 8
    assert not {flag for flag in flags if f'"{flag}"' not in settings}
