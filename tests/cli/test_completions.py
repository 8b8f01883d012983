# SPDX-License-Identifier: Apache-2.0
"""What the shells themselves offer after Tab, with the completions that the binary prints."""

import re
import subprocess

import pytest

from terminal import Terminal

CASES = [
    ("imagesync cut", {"cutout"}),
    ("imagesync models ver", {"verify"}),
    ("imagesync migrate ", {"up", "status"}),
    ("imagesync cutout --bg", {"--bg-color", "--bg-image"}),
    ("imagesync cutout --format w", {"webp"}),
    ("imagesync cutout --format=w", {"webp"}),
    ("imagesync cutout --format=", {"png", "jpg", "webp", "avif", "zip"}),
    ("imagesync cutout -f w", {"webp"}),
    ("imagesync cutout photo.png --channels a", {"alpha"}),
    ("imagesync models add --like u2netp", {"u2netp"}),
    ("imagesync serve --api", {"--api-keys"}),
    ("imagesync completions ", {"bash", "zsh", "fish"}),
    ("imagesync help mod", {"models"}),
    ("imagesync cutout ph", {"photo.png"}),
]


def offered_by_bash(script, line, folder):
    """As readline does it: = parts words, and without an answer files are offered."""
    words = re.findall(r"=|[^ =]+", line) + ([""] if line.endswith(" ") else [])
    (folder / "bash.sh").write_text(script + f"""
compopt() {{ [[ $* == '-o default' ]] && COMPREPLY=($(compgen -f -- "$word")); }}
COMP_WORDS=({" ".join(f"'{word}'" for word in words)}); COMP_CWORD={len(words) - 1}
_imagesync; printf '%s\\n' "${{COMPREPLY[@]}}"
""")
    return subprocess.run(["bash", "--norc", "bash.sh"], cwd=folder, capture_output=True, text=True,
                          timeout=30, check=True).stdout.split()


def offered_by_fish(script, line, folder):
    (folder / "imagesync.fish").write_text(script)
    done = subprocess.run(["fish", "--no-config", "-c",
                           f"source imagesync.fish; complete -C '{line}'"],
                          cwd=folder, env={"PATH": "/usr/bin:/bin", "HOME": str(folder / "home")},
                          capture_output=True, text=True, timeout=60, check=True)
    assert done.stderr == ""
    return [row.split("\t")[0].removeprefix("--format=") for row in done.stdout.splitlines()]


ZSH = """
fpath=($ZDOTDIR $fpath); autoload -Uz compinit; compinit -u -D
compadd() {  # what is added is also written down
  local -a found
  if [[ -z ${(M)@:#-[AOD]*} ]]; then builtin compadd -O found "$@"; print -rl -- $found >> $ZDOTDIR/found; fi
  builtin compadd "$@"
}
probe() { zle list-choices; : > $ZDOTDIR/done; zle send-break }
zle -N probe; bindkey '^I' probe
: > $ZDOTDIR/ready
"""


def offered_by_zsh(script, line, folder):
    home = folder / "zsh"
    home.mkdir()
    (home / "_imagesync").write_text(script)
    (home / ".zshrc").write_text(ZSH)
    env = {"PATH": "/usr/bin:/bin", "HOME": str(home), "ZDOTDIR": str(home), "TERM": "xterm"}
    terminal = Terminal(["zsh", "--no-global-rcs", "-i"], env, folder)
    try:
        terminal.read_until((home / "ready").exists)
        terminal.type(line + "\t")
        terminal.read_until((home / "done").exists)
    finally:
        terminal.close()
    return (home / "found").read_text().split()


@pytest.mark.parametrize("line,expected", CASES)
@pytest.mark.parametrize("shell", ["bash", "fish", "zsh"])
def test_tab(run, photo, tmp_path, shell, line, expected):
    script = run("completions", shell).out
    offered = globals()[f"offered_by_{shell}"](script, line, tmp_path)
    assert set(offered) == expected


def test_completions_of_another_shell(run):
    assert run("completions", "tcsh").returncode == 2
