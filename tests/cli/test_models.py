# SPDX-License-Identifier: Apache-2.0
"""`imagesync models`: list, verify, add, remove."""

import json
import os

import tiny_model


def add(run, folder, *words, **kwargs):
    return run("models", "add", folder / "m.onnx", "--data", folder / "d", *words, **kwargs)


def test_a_life_of_a_model(run, tmp_path):
    (tmp_path / "m.onnx").write_bytes(tiny_model.onnx())
    done = add(run, tmp_path, "--name", "mine", "--licence", "MIT", *tiny_model.ADD_OPTIONS)
    assert done.returncode == 0, done.err
    assert os.listdir(tmp_path / "d/models") == ["mine"]

    again = add(run, tmp_path, "--name", "mine", *tiny_model.ADD_OPTIONS)
    assert again.returncode == 3 and "already" in again.err

    listed = run("models", "list", "--json", "--data", "d")
    assert listed.returncode == 0
    model, = json.loads(listed.out)
    assert model["name"] == "mine" and model["licence"] == "MIT" and model["width"] == 64
    assert model["bytes"] > 0
    assert "mine" in run("models", "list", "--data", "d").out

    assert run("models", "verify", "--data", "d").returncode == 0
    with open(tmp_path / "d/models/mine/model.onnx", "ab") as file:
        file.write(b"\0")
    spoilt = run("models", "verify", "mine", "--data", "d")
    assert spoilt.returncode == 1 and "model.onnx" in spoilt.out

    assert run("models", "remove", "mine", "--data", "d").returncode == 0
    assert os.listdir(tmp_path / "d/models") == []
    gone = run("models", "remove", "mine", "--data", "d")
    assert gone.returncode == 3 and "no model 'mine'" in gone.err
    empty = run("models", "list", "--data", "d")
    assert empty.returncode == 0 and "models add" in empty.out
    assert run("models", "verify", "--data", "d").returncode == 3


def test_a_model_that_does_not_run_is_not_installed(run, tmp_path):
    (tmp_path / "m.onnx").write_bytes(b"this is no network")
    done = add(run, tmp_path, *tiny_model.ADD_OPTIONS)
    assert done.returncode == 3 and "not installed" in done.err
    assert os.listdir(tmp_path / "d/models") == []
    # A network that wants 64 x 64 and is said to want 320 x 320.
    (tmp_path / "m.onnx").write_bytes(tiny_model.onnx())
    done = add(run, tmp_path, "--like", "u2net")
    assert done.returncode == 3
    assert os.listdir(tmp_path / "d/models") == []


def test_what_is_not_known_of_a_model_is_asked_for(run, tmp_path):
    (tmp_path / "m.onnx").write_bytes(tiny_model.onnx())
    done = add(run, tmp_path)
    assert done.returncode == 3 and "--like" in done.err
    done = add(run, tmp_path, "--name", "../evil", *tiny_model.ADD_OPTIONS)
    assert done.returncode == 2 and "cannot be a model's name" in done.err
    done = add(run, tmp_path, "--like", "u2nett")
    assert done.returncode == 2 and "did you mean 'u2net'" in done.err
    os.unlink(tmp_path / "m.onnx")
    done = add(run, tmp_path, *tiny_model.ADD_OPTIONS)
    assert done.returncode == 3 and "No such file" in done.err


def test_a_family_sets_what_rembg_would(run, tmp_path):
    (tmp_path / "m.onnx").write_bytes(tiny_model.onnx())
    done = add(run, tmp_path, "--like", "isnet", "--width", "64", "--height", "64")
    assert done.returncode == 0, done.err
    manifest = json.loads((tmp_path / "d/models/m/manifest.json").read_text())
    assert manifest["input"] == {"width": 64, "height": 64, "mean": [127.5] * 3,
                                 "scale": [255.0] * 3}
    assert manifest["output"] == {"index": 0, "range": "minmax"}


def test_a_manifest_is_taken_over(run, tmp_path):
    (tmp_path / "m.onnx").write_bytes(tiny_model.onnx())
    (tmp_path / "M.json").write_text(json.dumps({
        "name": "named", "title": "A title", "licence": "CC0-1.0", "precision": "fp32",
        "input": {"width": 64, "height": 64, "mean": [0, 0, 0], "scale": [255, 255, 255]},
        "output": {"index": 0, "range": "unit"}, "note": "kept"}))
    assert add(run, tmp_path, "--manifest", "M.json").returncode == 0
    manifest = json.loads((tmp_path / "d/models/named/manifest.json").read_text())
    assert manifest["note"] == "kept" and manifest["title"] == "A title"
    assert list(manifest["sha256"]) == ["model.onnx"]
    assert add(run, tmp_path, "--manifest", "M.json", "--name", "ours", "--licence", "MIT",
               "--width", "64").returncode == 0
    manifest = json.loads((tmp_path / "d/models/ours/manifest.json").read_text())
    assert manifest["licence"] == "MIT" and manifest["title"] == "A title"
    (tmp_path / "M.json").write_text("{")
    done = add(run, tmp_path, "--manifest", "M.json", "--name", "other")
    assert done.returncode == 3 and "no manifest" in done.err


def test_removing_a_linked_model_leaves_what_the_link_leads_to(run, tmp_path):
    (tmp_path / "m.onnx").write_bytes(tiny_model.onnx())
    assert add(run, tmp_path, *tiny_model.ADD_OPTIONS).returncode == 0
    os.rename(tmp_path / "d/models/m", tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", tmp_path / "d/models/m")
    assert run("models", "remove", "m", "--data", "d").returncode == 0
    assert os.listdir(tmp_path / "d/models") == []
    assert sorted(os.listdir(tmp_path / "elsewhere")) == ["manifest.json", "model.onnx"]
