# SPDX-License-Identifier: Apache-2.0
"""The real binary, a data folder with a tiny model in it, and real photos."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

import tiny_model

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def binary():
    path = Path(os.environ.get("IMAGESYNC_BIN", ROOT / "build" / "imagesync")).resolve()
    assert path.exists(), f"{path} is missing: build it first"
    return str(path)


@pytest.fixture(scope="session")
def clean_env(tmp_path_factory):
    """The environment without settings of ours, and with a home of its own."""
    env = {name: value for name, value in os.environ.items()
           if not name.startswith(("IMAGESYNC_", "XDG_"))}
    env["HOME"] = str(tmp_path_factory.mktemp("home"))
    return env


@pytest.fixture(scope="session")
def data(binary, clean_env, tmp_path_factory):
    """A data folder whose only model, "tiny", takes what is bright for the subject."""
    folder = tmp_path_factory.mktemp("data")
    model = folder / "tiny.onnx"
    model.write_bytes(tiny_model.onnx())
    added = subprocess.run(
        [binary, "models", "add", model, "--data", folder, *tiny_model.ADD_OPTIONS],
        env=clean_env, capture_output=True, text=True, timeout=120, check=False)
    assert added.returncode == 0, added.stderr
    return folder


@pytest.fixture
def env(clean_env, data):
    return {**clean_env, "IMAGESYNC_DATA": str(data), "IMAGESYNC_MODEL": "tiny"}


@pytest.fixture
def run(binary, env, tmp_path):
    """run("cutout", ...) in an empty folder: the finished process, output as bytes."""
    def call(*words, stdin=b"", extra_env=None, text=True, cwd=tmp_path):
        done = subprocess.run([binary, *map(str, words)], input=stdin, cwd=cwd, timeout=120,
                              env={**env, **(extra_env or {})}, capture_output=True, check=False)
        done.err = done.stderr.decode()
        done.out = done.stdout.decode() if text else done.stdout
        return done
    return call


def find_photo(name):
    found = next(ROOT.glob(f".deps/venv/lib/python3*/site-packages/skimage/data/{name}"), None)
    if not found:
        pytest.skip(f"{name} of scikit-image is not installed")
    return found


@pytest.fixture
def photo(tmp_path):
    """A copy of a photo, 451 x 300, as photo.png in the current folder."""
    return Path(shutil.copy(find_photo("chelsea.png"), tmp_path / "photo.png"))


@pytest.fixture
def photos(tmp_path):
    """Three photos in a folder, one of them in a folder in it, and things that are none."""
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    shutil.copy(find_photo("chelsea.png"), folder / "cat.png")
    shutil.copy(find_photo("coffee.png"), folder / "coffee.PNG")
    shutil.copy(find_photo("rocket.jpg"), folder / "more" / "rocket.jpg")
    shutil.copy(find_photo("chelsea.png"), folder / ".hidden.png")
    (folder / "notes.txt").write_text("not a picture")
    return folder
