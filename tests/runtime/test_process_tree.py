# SPDX-License-Identifier: GPL-3.0-or-later
"""Ending a process ends what it started; its environment and its exit status are told as they should be."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.process_tree import ProcessTree, clean_environment, exit_words
from tests.patience import PROMISED, within

# A parent that starts a child, tells its pid, and waits for it
FAMILY = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print(child.pid, flush=True)
child.wait()
"""


def start(code: str, folder: Path) -> ProcessTree:
    return ProcessTree(
        [sys.executable, "-c", code], folder=folder, environment=clean_environment(), stdout=subprocess.PIPE
    )


@pytest.mark.skipif(os.name == "nt", reason="asks for a process by a signal that only POSIX has")
def test_ending_the_tree_ends_the_grandchildren_and_leaves_no_zombie(tmp_path: Path) -> None:
    tree = start(FAMILY, tmp_path)
    assert tree.process.stdout is not None
    grandchild = int(tree.process.stdout.readline())
    began = time.monotonic()
    tree.end()
    status = tree.wait(2.0)
    # The pipe is at its end only when every process that holds it is gone
    assert tree.process.stdout.read() == b""
    assert time.monotonic() - began < within()
    assert status == -9
    with pytest.raises(ChildProcessError):
        os.waitpid(tree.process.pid, 0)
    stat = Path(f"/proc/{grandchild}/stat")
    assert not stat.exists() or stat.read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    tree.process.stdout.close()
    tree.end()  # a second time does no harm


def test_waiting_gives_up_in_time(tmp_path: Path) -> None:
    tree = start("import time; time.sleep(600)", tmp_path)
    began = time.monotonic()
    assert tree.wait(0.1) is None
    assert time.monotonic() - began < within(0.1 + PROMISED)
    tree.end()
    assert tree.wait(5.0) is not None
    if tree.process.stdout is not None:
        tree.process.stdout.close()


def test_what_cannot_be_started_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(RuntimeProblem, match=r"no_such_program can't be started"):
        ProcessTree([str(tmp_path / "no_such_program")], folder=tmp_path, environment={})


def test_the_environment_loses_what_would_bend_another_python(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.setenv(name, "/elsewhere")
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy")
    environment = clean_environment({"EXTRA": "1"})
    assert not {"PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "CONDA_PREFIX"} & set(environment)
    assert environment["HTTPS_PROXY"] == "http://proxy"
    assert environment["EXTRA"] == "1"


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (7, "exit status 7"),
        (0xC0000005, "an access violation"),
        (-250, "signal 250"),
    ],
)
def test_exit_statuses_in_words(status: int, words: str) -> None:
    assert exit_words(status) == words
