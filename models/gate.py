# SPDX-License-Identifier: Apache-2.0
"""The quality gate: is the int8 model close enough to the full-precision one?

Both are run on photos that took no part in the calibration. Two numbers are taken per photo:
the IoU of the two mattes cut at 0.5 (is the same thing cut out?) and the mean absolute
difference of alpha (are the edges the same?). Pictures of a group that the manifest does not
list under `gated` are measured and printed but do not decide.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manifest import Thresholds

# Below this share of the picture a matte counts as empty: IoU of a few specks is noise.
EMPTY_SHARE = 0.0005


@dataclass(frozen=True)
class Measure:
    """int8 against full precision on one picture."""
    picture: str
    group: str
    iou: float
    alpha_error: float


@dataclass(frozen=True)
class Verdict:
    """`failures` is empty when the gate is passed; else a sentence for each threshold missed."""
    mean_iou: float
    worst_iou: float
    mean_alpha_error: float
    worst_picture: str
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return not self.failures

    def quality(self) -> dict[str, float]:
        """The manifest's `quality` object."""
        return {"mean_iou": round(self.mean_iou, 4), "worst_iou": round(self.worst_iou, 4),
                "mean_alpha_error": round(self.mean_alpha_error, 5)}


def iou(a: np.ndarray, b: np.ndarray) -> float:
    """IoU of two mattes cut at 0.5. Two empty mattes agree."""
    mask_a, mask_b = a >= 0.5, b >= 0.5
    union = int(np.count_nonzero(mask_a | mask_b))
    if union < EMPTY_SHARE * a.size:
        return 1.0
    return int(np.count_nonzero(mask_a & mask_b)) / union


def alpha_error(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(np.float32) - b.astype(np.float32)).mean())


def measure(picture: str, group: str, full: np.ndarray, int8: np.ndarray) -> Measure:
    """Compares two mattes. A matte with NaN compares as entirely wrong, not as unknown."""
    if not np.isfinite(int8).all():
        return Measure(picture, group, 0.0, 1.0)
    return Measure(picture, group, iou(full, int8), alpha_error(full, int8))


def judge(measures: Iterable[Measure], gated: Sequence[str], limits: Thresholds) -> Verdict:
    """Judges the pictures whose group is in `gated`. With none to judge the gate fails."""
    rows = [m for m in measures if m.group in gated]
    if not rows:
        return Verdict(0.0, 0.0, 1.0, "", ("no picture was measured",))
    worst = min(rows, key=lambda m: m.iou)
    mean_iou = sum(m.iou for m in rows) / len(rows)
    error = sum(m.alpha_error for m in rows) / len(rows)
    failures = []
    if not mean_iou >= limits.mean_iou:
        failures.append(f"mean IoU {mean_iou:.4f} is below {limits.mean_iou}")
    if not worst.iou >= limits.worst_iou:
        failures.append(f"IoU of {worst.picture} {worst.iou:.4f} is below {limits.worst_iou}")
    if not error <= limits.mean_alpha_error:
        failures.append(f"mean alpha error {error:.5f} is above {limits.mean_alpha_error}")
    return Verdict(mean_iou, worst.iou, error, worst.picture, tuple(failures))


def table(measures: Sequence[Measure], gated: Sequence[str]) -> str:
    """The report's table: the gated groups first, then what is only reported."""
    width = max((len(m.picture) for m in measures), default=7)
    lines = [f"{'picture':{width}}  {'group':10} {'IoU':>7} {'alpha error':>12}"]
    for m in sorted(measures, key=lambda m: (m.group not in gated, m.group, -m.iou)):
        note = "" if m.group in gated else "  not gated"
        lines.append(f"{m.picture:{width}}  {m.group:10} {m.iou:7.4f} {m.alpha_error:12.5f}{note}")
    return "\n".join(lines)


def as_json(measures: Sequence[Measure], verdict: Verdict) -> dict[str, Any]:
    return {"passed": verdict.passed, "failures": list(verdict.failures),
            "summary": verdict.quality(), "worst_picture": verdict.worst_picture,
            "pictures": [{"picture": m.picture, "group": m.group, "iou": round(m.iou, 4),
                          "alpha_error": round(m.alpha_error, 5)} for m in measures]}
