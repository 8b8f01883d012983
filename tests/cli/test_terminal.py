# SPDX-License-Identifier: Apache-2.0
"""What a person at a terminal sees: the progress bar, and no names that move the cursor."""

import os
import re

import pytest

from terminal import Terminal

BAR = re.compile(r"\r\x1b\[K(\[([#.]*)\] )?(\d)/(\d)  \d+ s(, about \d+ s left)?")


def cutout(binary, env, cwd, *words, term="xterm", columns=100):
    terminal = Terminal([binary, "cutout", *words], {**env, "TERM": term}, cwd, columns)
    try:
        return terminal.finish()
    finally:
        terminal.close()


def test_a_bar_grows_and_goes(binary, env, photos, tmp_path):
    status, shown = cutout(binary, env, tmp_path, "photos", "-r", "-o", "out", "--jobs", "1")
    assert status == 0
    drawn = [(bar.group(2).count("#"), bar.group(3), bar.group(4)) for bar in BAR.finditer(shown)]
    assert [(0, "0", "3"), (13, "1", "3"), (26, "2", "3"), (40, "3", "3")] == \
        sorted(set(drawn) | {(0, "0", "3")})
    assert re.search(r"1/3  \d+ s, about \d+ s left", shown)
    # Each picture's line replaces the bar, and so does the summary.
    assert shown.count("\r\x1b[Kphotos/") == 3
    assert "\r\x1b[K3 of 3 pictures in" in shown


@pytest.mark.parametrize("columns", [20, 40, 60, 80, 200])
def test_the_bar_never_wraps(binary, env, photo, tmp_path, columns):
    _, shown = cutout(binary, env, tmp_path, "photo.png", "-o", "out.png", columns=columns)
    bars = [bar.group(0).removeprefix("\r\x1b[K") for bar in BAR.finditer(shown)]
    assert bars and all(len(bar) < columns for bar in bars)
    assert "[]" not in shown


def test_a_terminal_that_cannot_redraw_gets_plain_lines(binary, env, photo, tmp_path):
    status, shown = cutout(binary, env, tmp_path, "photo.png", "-o", "out.png", term="dumb")
    assert status == 0 and "photo.png -> out.png" in shown and "\x1b" not in shown


def test_quiet_draws_nothing(binary, env, photo, tmp_path):
    assert cutout(binary, env, tmp_path, "photo.png", "-o", "out.png", "--quiet") == (0, "")


def test_a_picture_is_neither_shown_on_nor_read_from_a_terminal(binary, env, photo, tmp_path):
    status, shown = cutout(binary, env, tmp_path, "photo.png", "-o", "-")
    assert status == 2 and "standard output is a terminal" in shown
    for words in (["-"], ["photo.png", "--bg-image", "-"]):
        status, shown = cutout(binary, env, tmp_path, *words, "-o", "out.png")
        assert status == 2 and "standard input is a terminal" in shown


EVIL = "a\x1b[2J\x07\u009b2Jb"
TAMED = "a?[2J??2Jb"


def test_names_do_not_reach_the_terminal_raw(binary, env, run, photo, tmp_path):
    os.rename(photo, tmp_path / f"{EVIL}.png")
    (tmp_path / f"{EVIL}.jpg").write_text("no picture")
    status, shown = cutout(binary, env, tmp_path, f"{EVIL}.png", "-o", "out.png", term="dumb")
    assert status == 0 and f"{TAMED}.png -> out.png" in shown
    for words, says in [
        ([f"{EVIL}.jpg"], "Accepted are"),
        ([f"{EVIL}.png", "-o", f"{EVIL}/x.png"], f"cannot write {TAMED}/x.png"),
        ([f"{EVIL}.png", f"{EVIL}.jpg", "-o", "out"], "would both be written"),
        ([f"{EVIL}.png", "-o", f"out.png/{EVIL}/"], "cannot make the folder"),
    ]:
        done = run("cutout", *words)
        assert says in done.err and TAMED in done.err, words
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f\x80-\x9f]", done.err), words
