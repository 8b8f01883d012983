# SPDX-License-Identifier: Apache-2.0
"""`imagesync cutout`: what it reads, what it writes, what it refuses."""

import json
import os
import shutil
import struct
import subprocess
import zipfile
import zlib

import pytest
from PIL import Image, ImageDraw


def png_header(data):
    """Width, height, bit depth and colour type (6: RGBA, 2: RGB, 0: grey)."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", "no PNG"
    return struct.unpack(">IIBB", data[16:26])


MAGIC = {"png": (0, b"\x89PNG"), "jpg": (0, b"\xff\xd8\xff"), "webp": (8, b"WEBP"),
         "avif": (4, b"ftypavif"), "zip": (0, b"PK\x03\x04")}


def is_format(data, name):
    at, magic = MAGIC[name]
    return data[at:at + len(magic)] == magic


def leftovers(folder):
    return [path.name for path in folder.rglob("*") if ".part" in path.name]


def test_one_file_to_one_file(run, photo, tmp_path):
    before = photo.read_bytes()
    done = run("cutout", "photo.png", "-o", "out.png")
    assert done.returncode == 0, done.err
    assert png_header((tmp_path / "out.png").read_bytes()) == (451, 300, 8, 6)
    assert photo.read_bytes() == before
    assert "photo.png -> out.png" in done.err and "1 of 1 pictures" in done.err
    assert "model" in done.err and "decode" in done.err
    assert done.out == ""
    assert leftovers(tmp_path) == []


def test_without_output_the_result_lies_beside_the_input(run, photo, tmp_path):
    assert run("cutout", "photo.png").returncode == 0
    assert (tmp_path / "photo-cutout.png").exists()
    # Once more over the folder: the earlier result is no input.
    done = run("cutout", ".", "--force", "--json")
    assert done.returncode == 0, done.err
    assert [json.loads(line)["input"] for line in done.out.splitlines()] == ["./photo.png"]


@pytest.mark.parametrize("name", MAGIC)
def test_every_format_by_extension_and_by_option(run, photo, tmp_path, name):
    assert run("cutout", "photo.png", "-o", f"a.{name}").returncode == 0
    assert is_format((tmp_path / f"a.{name}").read_bytes(), name)
    assert run("cutout", "photo.png", "-o", f"B.{name.upper()}").returncode == 0
    assert is_format((tmp_path / f"B.{name.upper()}").read_bytes(), name)
    assert run("cutout", "photo.png", "-o", "noextension", f"--format={name}").returncode == 0
    assert is_format((tmp_path / "noextension").read_bytes(), name)
    if name == "zip":
        assert sorted(zipfile.ZipFile(tmp_path / "a.zip").namelist()) == ["alpha.png", "color.jpg"]


def test_doubtful_outputs_are_refused_before_work(run, photo, tmp_path):
    for words in (["-o", "a.gif"], ["-o", "a.png", "--format", "jpg"], ["-o", ""],
                  ["other.png", "-o", "a.png"]):
        done = run("cutout", "photo.png", *words)
        assert done.returncode == 2, words
        assert "--help" in done.err
    assert sorted(os.listdir(tmp_path)) == ["photo.png"]


def test_nothing_is_overwritten_without_force(run, photo, tmp_path):
    (tmp_path / "out.png").write_text("mine")
    done = run("cutout", "photo.png", "-o", "out.png")
    assert done.returncode == 1 and "--force" in done.err
    assert (tmp_path / "out.png").read_text() == "mine"
    assert run("cutout", "photo.png", "-o", "out.png", "--force").returncode == 0
    assert is_format((tmp_path / "out.png").read_bytes(), "png")


def test_devices_and_pipes_are_written_to_not_replaced(run, photo, tmp_path):
    pipe, null, out = tmp_path / "pipe", tmp_path / "null", tmp_path / "out"
    os.mkfifo(pipe)
    null.symlink_to("/dev/null")
    out.symlink_to("/dev/stdout")
    for force in ([], ["--force"]):
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        done = run("cutout", "photo.png", "-o", "pipe", "--format", "jpg", "-q", "1", *force)
        assert done.returncode == 0, done.err
        assert is_format(os.read(reader, 16), "jpg")
        os.close(reader)
        assert pipe.is_fifo()
        done = run("cutout", "photo.png", "-o", "out", *force, text=False)
        assert done.returncode == 0 and is_format(done.out, "png")
        assert run("cutout", "photo.png", "-o", "null", *force).returncode == 0
        assert null.is_char_device() and out.is_symlink()
    done = run("cutout", "photo.png", "-o", "pipe")  # which nobody reads
    assert done.returncode == 1 and "cannot write pipe" in done.err
    assert leftovers(tmp_path) == []


def test_an_output_that_cannot_be_written_costs_no_work(run, photo, tmp_path):
    done = run("cutout", "photo.png", "-o", "nowhere/out.png", "--json")
    assert done.returncode == 1
    line = json.loads(done.out)
    assert line["status"] == "unwritable" and "nowhere/out.png: No such file" in line["detail"]
    # It is seen before the input is even opened.
    (tmp_path / "broken.png").write_bytes(b"")
    line = json.loads(run("cutout", "broken.png", "-o", "nowhere/out.png", "--json").out)
    assert line["status"] == "unwritable"


def test_what_standard_output_does_not_take_is_a_failure(run, binary, env, photo, tmp_path):
    for words in (["cutout", "photo.png", "-o", "out.png", "--json"], ["config"], ["manual"],
                  ["cutout", "photo.png", "-o", "-"]):
        with open("/dev/full", "wb") as full:
            done = subprocess.run([binary, *words], env=env, cwd=tmp_path, stdout=full,
                                  stderr=subprocess.PIPE, timeout=120, check=False)
        assert done.returncode == 1 and b"cannot write" in done.stderr, words


def test_an_input_is_never_the_output(run, photo, tmp_path):
    before = photo.read_bytes()
    os.link(photo, tmp_path / "hard.png")
    os.symlink("photo.png", tmp_path / "soft.png")
    for out in ("photo.png", "./photo.png", "hard.png", "soft.png"):
        done = run("cutout", "photo.png", "-o", out, "--force")
        assert done.returncode == 1 and "replace an input" in done.err, out
    assert photo.read_bytes() == before
    # Nor another input, which the result of this one would be named like.
    second = tmp_path / "photo-cutout.png"
    second.write_bytes(before)
    done = run("cutout", "photo.png", "photo-cutout.png", "--force")
    assert done.returncode == 1 and "replace an input" in done.err
    assert second.read_bytes() == before
    assert is_format((tmp_path / "photo-cutout-cutout.png").read_bytes(), "png")


def test_folders_patterns_and_their_names(run, photos, tmp_path):
    done = run("cutout", "photos", "-o", "flat", "--format", "jpg", "--jobs", "2")
    assert done.returncode == 0, done.err
    assert sorted(os.listdir(tmp_path / "flat")) == ["cat.jpg", "coffee.jpg"]
    done = run("cutout", "photos", "-r", "-o", "deep/er")
    assert done.returncode == 0, done.err
    found = sorted(str(path.relative_to(tmp_path / "deep/er"))
                   for path in (tmp_path / "deep/er").rglob("*.png"))
    assert found == ["cat.png", "coffee.png", "more/rocket.png"]
    # Once more, into a folder among the inputs: what lies there is no input.
    for _ in range(2):
        done = run("cutout", "photos", "-r", "-o", "photos/out", "--force", "--json")
        assert done.returncode == 0, done.err
        assert len(done.out.splitlines()) == 3
    shutil.rmtree(photos / "out")
    done = run("cutout", "photos/c*", "-o", "matched")
    assert sorted(os.listdir(tmp_path / "matched")) == ["cat.png", "coffee.png"]
    done = run("cutout", "photos/x*", "-o", "matched")
    assert done.returncode == 1 and "no file matches" in done.err


def test_two_inputs_of_one_name_are_refused_before_work(run, photo, photos, tmp_path):
    (tmp_path / "cat.png").write_bytes(photo.read_bytes())
    done = run("cutout", "photos/cat.png", "cat.png", "-o", "out")
    assert done.returncode == 2
    assert "'photos/cat.png' and 'cat.png' would both be written to 'out/cat.png'" in done.err
    assert "its own -o" in done.err
    assert not (tmp_path / "out").exists()


def test_pipes(run, photo, tmp_path):
    done = run("cutout", "-", stdin=photo.read_bytes(), text=False)
    assert done.returncode == 0, done.err
    assert png_header(done.out)[:2] == (451, 300)
    done = run("cutout", "-", "-o", "-", "--format", "webp", stdin=photo.read_bytes(), text=False)
    assert is_format(done.out, "webp")
    done = run("cutout", "photo.png", "-o", "-", text=False)
    assert is_format(done.out, "png")
    done = run("cutout", "-", "-o", "named.jpg", stdin=photo.read_bytes())
    assert is_format((tmp_path / "named.jpg").read_bytes(), "jpg")
    done = run("cutout", "photo.png", "--bg-image", "-", "-o", "on.png", stdin=photo.read_bytes())
    assert done.returncode == 0, done.err
    for words in (["-", "-"], ["-", "--bg-image", "-"], ["photo.png", "photo.png", "-o", "-"], ["-", "--json"],
                  ["photo.png", "-o", "-", "--json"]):
        assert run("cutout", *words, stdin=b"").returncode == 2, words


def test_json_lines(run, photo, tmp_path):
    (tmp_path / "broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 not much of a jpeg")
    (tmp_path / "empty.png").write_bytes(b"")
    done = run("cutout", "photo.png", "broken.jpg", "empty.png", "missing.png", "-o", "out",
               "--json")
    assert done.returncode == 1
    lines = {entry["input"]: entry for entry in map(json.loads, done.out.splitlines())}
    assert set(lines) == {"photo.png", "broken.jpg", "empty.png", "missing.png"}
    good = lines["photo.png"]
    assert good["status"] == "ok" and good["output"] == "out/photo.png"
    assert (good["width"], good["height"]) == (451, 300)
    assert {"queue", "decode", "inference", "refine", "compose", "encode", "total"} == \
        set(good["timings_ms"])
    assert good["timings_ms"]["total"] > 0
    for name in ("broken.jpg", "empty.png", "missing.png"):
        assert lines[name]["status"] != "ok" and lines[name]["output"] is None
        assert lines[name]["detail"]
    assert lines["missing.png"]["status"] == "not_found"
    assert "1 of 4 pictures" in done.err


def test_names_that_are_not_utf8_still_give_json(run, photo, tmp_path):
    name = os.fsdecode(b"caf\xe9 \"x\"\n.png")
    (tmp_path / name).write_bytes(photo.read_bytes())
    done = run("cutout", name, "-o", "out.png", "--json")
    assert done.returncode == 0, done.err
    assert json.loads(done.out)["input"] == "caf\ufffd \"x\"\n.png"


def test_a_bad_file_does_not_stop_the_others(run, photos, tmp_path):
    (photos / "aaa.jpg").write_bytes(b"GIF, or so it says")
    done = run("cutout", "photos", "-o", "out")
    assert done.returncode == 1
    assert sorted(os.listdir(tmp_path / "out")) == ["cat.png", "coffee.png"]
    assert "photos/aaa.jpg:" in done.err


def test_a_picture_without_subject(run, tmp_path):
    # What is bright is the subject of the tiny model; this is black.
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + \
            struct.pack(">I", zlib.crc32(name + data))
    (tmp_path / "black.png").write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 16, 16, 8, 0, 0, 0, 0)) +
        chunk(b"IDAT", zlib.compress(b"\0" * 17 * 16)) + chunk(b"IEND", b""))
    done = run("cutout", "black.png", "--json")
    assert done.returncode == 1
    assert json.loads(done.out)["status"] == "no_foreground"


@pytest.fixture
def made(run, tmp_path):
    """made(WORDS): what becomes of 200 x 100 px of black with two white boxes, as a PNG."""
    picture = Image.new("RGB", (200, 100), "black")
    ImageDraw.Draw(picture).rectangle((100, 40, 139, 59), "white")
    ImageDraw.Draw(picture).rectangle((10, 10, 29, 19), "white")
    picture.save(tmp_path / "boxes.png")

    def call(*words):
        done = run("cutout", "boxes.png", "-o", "made.png", "--force", *words)
        assert done.returncode == 0, (words, done.err)
        return Image.open(tmp_path / "made.png")
    return call


def box_of(image):
    """Where the subject is: left, top, right, bottom, to a few pixels."""
    return image.getchannel("A").point(lambda alpha: 255 * (alpha > 127)).getbbox()


def near(box, expected, pixels=3):
    return all(abs(a - b) <= pixels for a, b in zip(box, expected, strict=True))


BOTH, LARGE = (10, 10, 140, 60), (100, 40, 140, 60)


def test_what_is_put_behind_the_subject(made, tmp_path):
    plain = made()
    assert plain.mode == "RGBA" and plain.getpixel((190, 90))[3] == 0
    assert plain.getpixel((120, 50))[3] == 255 and near(box_of(plain), BOTH)
    orange = made("--bg-color", "ff8800").convert("RGBA")
    assert orange.getpixel((190, 90)) == (255, 136, 0, 255)
    assert orange.getpixel((120, 50)) == (255, 255, 255, 255)
    assert made("--bg-color", "ff880080").getpixel((190, 90)) == (255, 136, 0, 128)
    Image.new("RGB", (3, 3), (10, 200, 30)).save(tmp_path / "green.png")
    green = made("--bg-image", "green.png").convert("RGB").getpixel((190, 90))
    assert near(green, (10, 200, 30))


def test_blur_blurs_the_background_by_the_amount(run, tmp_path):
    # Stripes that are dark enough to be surely background for the tiny model.
    picture = Image.new("RGB", (200, 100), "black")
    for x in range(0, 200, 8):
        ImageDraw.Draw(picture).rectangle((x, 0, x + 3, 99), (9, 0, 0))
    ImageDraw.Draw(picture).rectangle((80, 40, 119, 59), "white")
    picture.save(tmp_path / "stripes.png")

    def contrast(*words):
        done = run("cutout", "stripes.png", "-o", "x.png", "--force", *words)
        assert done.returncode == 0, done.err
        made = Image.open(tmp_path / "x.png").convert("RGBA")
        assert made.getextrema()[3] == (255, 255) and made.getpixel((100, 50))[0] > 250
        darkest, lightest = made.crop((20, 10, 60, 30)).getextrema()[0]
        return lightest - darkest
    assert contrast("--blur=0.1%") >= 8 and contrast("--blur=5%") <= 1
    assert 1 < contrast("--blur") == contrast("--blur=1%") < 8


def test_what_part_is_kept_and_where_it_goes(made):
    assert near(made("--crop").size, (130, 50))
    assert near(made("--crop", "--crop-margin", "10px").size, (150, 70), 4)
    assert near(made("--crop-margin", "10px").size, (150, 70), 4)
    assert near(made("--crop-margin", "10%").size, (156, 60), 4)
    assert near(box_of(made("--roi", "50% 0% 100% 100%")), LARGE)
    assert near(box_of(made("--roi", "90px 30px 200px 100px")), LARGE)
    # Half of the width or of the height, whichever is reached first.
    region = ("--roi", "50% 0% 100% 100%", "--scale", "50%")
    assert near(box_of(made(*region, "--position", "center")), (50, 25, 150, 75))
    assert near(box_of(made(*region, "--position", "0% 0%")), (0, 0, 100, 50))
    assert near(box_of(made(*region, "--position", "100%")), (100, 50, 200, 100))


def test_channels_and_quality(run, made, photo, tmp_path):
    alpha = made("--channels", "alpha")
    assert alpha.mode == "L" and alpha.getpixel((120, 50)) == 255
    assert alpha.getpixel((190, 90)) == 0
    sizes = []
    for quality in (["-q", "10"], ["--quality", "95"]):
        assert run("cutout", "photo.png", "-o", "q.jpg", "--force", *quality).returncode == 0
        sizes.append((tmp_path / "q.jpg").stat().st_size)
    assert sizes[0] < sizes[1] / 2


@pytest.mark.parametrize("words,says", [
    (["--format", "bmp"], "expected png, jpg"),
    (["--format", "pnk"], "did you mean 'png'"),
    (["--bg-color", "nocolour"], "expected a colour"),
    (["--blur=9%"], "expected an amount"),
    (["--crop-margin", "60%"], "at most 50%"),
    (["--channels", "cmyk"], "rgba or alpha"),
    (["--roi", "1 2 3"], "x1 y1 x2 y2"),
    (["--scale", "5%"], "10% to 100%"),
    (["--position", "up"], "center, original"),
    (["--quality", "101"], "1 to 100"),
    (["--jobs", "0"], "1 to 256"),
    (["--bg-colour", "white"], "did you mean --bg-color"),
    (["--worker-thread", "2"], "did you mean --worker-threads"),
    (["--workers", "many"], "workers"),
    (["--crop=yes"], "takes no value"),
    (["--output"], "needs a value"),
    (["-x"], "no option -x"),
    (["--blur", "--bg-color", "white"], "exclude each other"),
    (["--log-level", "loud"], "log-level"),
])
def test_wrong_words_are_explained(run, photo, tmp_path, words, says):
    done = run("cutout", "photo.png", *words)
    assert done.returncode == 2
    assert says in done.err, done.err
    assert os.listdir(tmp_path) == ["photo.png"]


def test_what_is_missing_is_said_with_what_to_do(run, photo, tmp_path):
    assert run("cutout").returncode == 2
    done = run("cutout", "photo.png", "--model", "nothere")
    assert done.returncode == 3
    assert "make model" in done.err and "models add" in done.err
    done = run("cutout", "photo.png", "--bg-image", "nothere.png")
    assert done.returncode == 3 and "nothere.png" in done.err
    (tmp_path / "file").write_text("")
    done = run("cutout", "photo.png", "-o", "file/out/")
    assert done.returncode == 3 and "cannot make the folder" in done.err


def test_a_dash_in_front_of_a_name(run, photo, tmp_path):
    os.rename(photo, tmp_path / "-photo.png")
    done = run("cutout", "-o", "out.png", "--", "-photo.png")
    assert done.returncode == 0, done.err


def test_quiet(run, photo):
    done = run("cutout", "photo.png", "-o", "out.png", "--quiet")
    assert (done.returncode, done.err, done.out) == (0, "", "")
