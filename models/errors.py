# SPDX-License-Identifier: Apache-2.0
"""The one exception that a user of these scripts sees.

Everything that can go wrong outside this program (no network, a wrong checksum, a full disk, a
missing photo) is raised as PrepareError with a sentence that says what is wrong and what to do
next. prepare.py prints that sentence and nothing else; any other exception is our own mistake
and keeps its traceback.
"""


class PrepareError(Exception):
    """What is wrong, and what to do next, in one line."""
