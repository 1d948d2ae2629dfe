# SPDX-License-Identifier: GPL-3.0-or-later
"""A worker that misbehaves on purpose, in the way that the environment variable FAKE_WORKER names.

Started by path like the real one. Standard library only, and nothing of the package: it stands for any
program.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

MODE = os.environ.get("FAKE_WORKER", "good")
FOLDER = Path(next((a.partition("=")[2] for a in sys.argv if a.startswith("--folder=")), "."))


def write(text: str) -> None:
    """Put text into the stream as it is."""
    sys.stdout.write(text)
    sys.stdout.flush()


def tell(**message: object) -> None:
    """Send a message."""
    write(json.dumps(message) + "\n")


def hello(protocol: int = 1, version: str = "1.2.3") -> None:
    """Greet as the client expects it, or not."""
    tell(type="hello", protocol=protocol, version=version, python="3.11.0", pid=os.getpid())


def hang() -> None:
    """Do nothing for longer than any test waits."""
    time.sleep(3600)


def crash(_name: str) -> None:
    """End as native code does: by a signal."""
    os.kill(os.getpid(), signal.SIGSEGV if os.name == "posix" else signal.SIGTERM)


def killed(_name: str) -> None:
    """End as when the system needs the memory."""
    os.kill(os.getpid(), 9)


def exits(_name: str) -> None:
    """End with a traceback."""
    sys.stderr.write("Traceback\nValueError: the reason\n")
    sys.exit(7)


def flood(name: str) -> None:
    """Send more than anybody can want to read."""
    while True:
        tell(type="progress", id=name, stage="x", fraction=0.5, words="flood")


def garbage(_name: str) -> None:
    """Print as libraries do."""
    write("Downloading model... 12%\n")
    hang()


def binary(_name: str) -> None:
    """Print no text at all."""
    sys.stdout.buffer.write(bytes(range(256)) + b"\n")
    sys.stdout.flush()
    hang()


def huge_line(_name: str) -> None:
    """Write a line that never ends."""
    try:
        while True:
            sys.stdout.write("x" * 65536)
    except OSError:
        os._exit(1)


def mid_line(_name: str) -> None:
    """End in the middle of a message."""
    write('{"type": "result", "id"')
    os._exit(0)


def closes_stdout(_name: str) -> None:
    """Go on without a way to answer."""
    os.close(1)
    hang()


def wrong_fields(name: str) -> None:
    """Answer with a message that isn't one."""
    tell(type="result", id=name, data="none", warnings=[])
    hang()


def ignores_cancel(name: str) -> None:
    """Hear nothing, with a child as a library might start one; its pid goes where the test can read it."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
    tell(type="progress", id=name, stage="child", fraction=0.1, words=str(child.pid))
    hang()


def slow_cancel(name: str) -> None:
    """Work until the wish to cancel comes."""
    tell(type="progress", id=name, stage="work", fraction=0.1, words="working")


def many_steps(name: str) -> None:
    """Report often, then finish."""
    for step in range(200):
        tell(type="progress", id=name, stage="work", fraction=step / 200, words=f"step {step}")
    tell(type="result", id=name, data={"n": 1}, warnings=["careful"])


def silent(name: str) -> None:
    """Begin well and say nothing more."""
    tell(type="progress", id=name, stage="work", fraction=0.1, words="working")
    hang()


def explains(name: str) -> None:
    """Fail as an engine does."""
    tell(type="failed", id=name, cause="input", sentence="No person was found.")


def good(name: str) -> None:
    """Do as asked."""
    tell(type="result", id=name, data={"folder": str(FOLDER), "pid": os.getpid()}, warnings=[])


ACTS: dict[str, Callable[[str], None]] = {
    act.__name__: act
    for act in (
        crash, killed, exits, flood, garbage, binary, huge_line, mid_line, closes_stdout, wrong_fields,
        ignores_cancel, slow_cancel, many_steps, silent, explains,
    )
}  # fmt: skip


def serve() -> None:
    """Take requests and do with each what the mode wants."""
    for line in sys.stdin:
        message = json.loads(line)
        name = message.get("id", "")
        if message["type"] == "shut_down":
            return
        if message["type"] == "cancel":
            if MODE == "slow_cancel":
                tell(type="cancelled", id=name)
            continue
        tell(type="progress", id=name, stage="start", fraction=0.0, words="Starting")
        if MODE == "hang":
            hang()
        ACTS.get(MODE, good)(name)


def begin() -> None:
    """Greet, in one of the ways in which that goes wrong."""
    if MODE == "no_start":
        sys.stderr.write("ModuleNotFoundError: No module named 'json'\n")
        sys.exit(1)
    elif MODE == "never_hello":
        hang()
    elif MODE == "garbage_first":
        write("Welcome to some other program\n")
        hang()
    elif MODE == "other_protocol":
        hello(protocol=99)
        hang()
    elif MODE == "other_version":
        hello(version="0.0.1")
        hang()
    hello()
    if MODE == "lacks_torch":
        tell(type="bye", reason="environment", sentence="The Python environment lacks torch; press Repair.")
        sys.exit(3)
    tell(type="ready", versions={"torch": "9.9"}, device="CPU", seconds=0.1)
    if MODE == "idles_out" and not (FOLDER / "been_here").exists():
        # Says goodbye while a request may already be on its way, the first time only
        (FOLDER / "been_here").touch()
        time.sleep(0.3)
        tell(type="bye", reason="idle", sentence="")
        os._exit(0)


begin()
serve()
