# SPDX-License-Identifier: Apache-2.0
"""Help, the manual, settings: all made from the tables that parse."""

import re
import subprocess

import pytest

COMMANDS = ["cutout", "serve", "login", "logout", "whoami", "models list", "models verify",
            "models add", "models remove", "migrate up", "migrate status", "keys rotate-signing",
            "jobs dead", "jobs requeue", "jobs drop", "config", "completions",
            "manual", "version", "help"]


def test_overview(run):
    done = run("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"  {command} " in done.out
    assert run("help").out == done.out
    nothing = run()
    assert nothing.returncode == 2 and nothing.err == done.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(run, command):
    done = run(*command.split(), "--help")
    assert done.returncode == 0 and done.out.startswith(f"Usage: imagesync {command}")
    assert run("help", *command.split()).out == done.out
    assert all(len(line) <= 92 for line in done.out.splitlines())


def test_mistyped_commands(run):
    done = run("cutot")
    assert done.returncode == 2 and "did you mean 'cutout'" in done.err
    done = run("models", "lst")
    assert done.returncode == 2 and "imagesync models list" in done.err
    done = run("models")
    assert done.returncode == 2 and "imagesync models verify" in done.err
    assert run("version", "please").returncode == 2
    assert run("help", "nothing").returncode == 2


def test_version(run):
    done = run("version")
    assert done.returncode == 0 and re.fullmatch(r"imagesync \d+\.\d+\.\d+\n", done.out)
    assert run("--version").out == done.out


def test_the_manual_renders_and_has_every_option(run, tmp_path):
    page = run("manual")
    assert page.returncode == 0
    (tmp_path / "imagesync.1").write_text(page.out)
    done = subprocess.run(["man", "--warnings=w", "-l", "imagesync.1"], cwd=tmp_path,
                          capture_output=True, text=True, timeout=60, check=False,
                          env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "100"})
    assert done.returncode == 0 and done.stderr == "", done.stderr
    text = re.sub(".\b", "", done.stdout)
    assert "--bg-color COLOUR" in text and "EXIT STATUS" in text
    for command in COMMANDS:
        for option in re.findall(r"^ .*?(--[a-z0-9-]+)", run("help", *command.split()).out, re.M):
            assert option in text or option == "--help", (command, option)


def test_config_tells_value_and_source(run, tmp_path):
    (tmp_path / "file.conf").write_text("workers = 3\nqueue-max = 7\njob-timeout-s = 9\n")
    done = run("config", "--config", "file.conf", "--job-timeout-s", "11",
               extra_env={"IMAGESYNC_QUEUE_MAX": "8"})
    assert done.returncode == 0, done.err
    rows = {line.split()[0]: line for line in done.out.splitlines() if line.startswith("  ")}
    assert re.search(r"workers +3 .*file", rows["workers"])
    assert re.search(r"queue-max +8 .*IMAGESYNC_QUEUE_MAX", rows["queue-max"])
    assert re.search(r"job-timeout-s +11 s .*flag", rows["job-timeout-s"])
    assert re.search(r"http-threads +2 .*default", rows["http-threads"])
    other = run("config", extra_env={"IMAGESYNC_CONFIG": str(tmp_path / "file.conf")})
    assert re.search(r"workers +3 ", other.out)


def test_secrets_are_not_printed(run):
    done = run("config", "--api-keys", "verysecret:5")
    assert done.returncode == 0
    assert "verysecret" not in done.out + done.err and "(set)" in done.out
    done = run("config", "--cache", "redis://app:verysecret@127.0.0.1")
    assert done.returncode == 0 and "verysecret" not in done.out + done.err


@pytest.mark.parametrize("env,says", [
    ({"IMAGESYNC_WORKER": "2"}, "did you mean \"workers\""),
    ({"IMAGESYNC_WORKERS": "x"}, "workers"),
    ({"IMAGESYNC_CONFIG": "/nonexistent"}, "/nonexistent"),
])
def test_wrong_environment_is_explained(run, env, says):
    done = run("config", extra_env=env)
    assert done.returncode == 2 and says in done.err, done.err


def test_the_data_folder_is_found(run, binary, clean_env, tmp_path):
    def where(**extra):
        return subprocess.run([binary, "config"], env={**clean_env, **extra}, cwd=tmp_path,
                              capture_output=True, text=True, timeout=30, check=False).stdout
    assert f"The data folder is {clean_env['HOME']}/.local/share/imagesync;" in where()
    assert "The data folder is /x/imagesync;" in where(XDG_DATA_HOME="/x")
    (tmp_path / "var").mkdir()
    assert "The data folder is var;" in where()
    assert "The data folder is /y;" in where(IMAGESYNC_DATA="/y")
