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

MODE = os.environ.get("FAKE_WORKER", "good")
FOLDER = next((a.partition("=")[2] for a in sys.argv if a.startswith("--folder=")), "")


def tell(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def hello(protocol=1, version="1.2.3"):
    tell(type="hello", protocol=protocol, version=version, python="3.11.0", pid=os.getpid())


def ready():
    tell(type="ready", versions={"torch": "9.9"}, device="CPU", seconds=0.1)


def serve():
    """Answer requests well, but for what the mode wants once one came."""
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
        act(name)


def act(name):
    if MODE == "crash":
        os.kill(os.getpid(), signal.SIGSEGV if os.name == "posix" else signal.SIGTERM)
    elif MODE == "killed":
        os.kill(os.getpid(), signal.SIGKILL)
    elif MODE == "exits":
        sys.stderr.write("Traceback\nValueError: the reason\n")
        sys.exit(7)
    elif MODE == "hang":
        time.sleep(3600)
    elif MODE == "flood":
        while True:
            tell(type="progress", id=name, stage="x", fraction=0.5, words="flood")
    elif MODE == "garbage":
        sys.stdout.write("Downloading model... 12%\n")
        sys.stdout.flush()
        time.sleep(3600)
    elif MODE == "binary":
        sys.stdout.buffer.write(bytes(range(256)) + b"\n")
        sys.stdout.flush()
        time.sleep(3600)
    elif MODE == "huge_line":
        try:
            while True:
                sys.stdout.write("x" * 65536)
        except OSError:
            os._exit(1)
    elif MODE == "mid_line":
        sys.stdout.write('{"type": "result", "id"')
        sys.stdout.flush()
        os._exit(0)
    elif MODE == "closes_stdout":
        os.close(1)
        time.sleep(3600)
    elif MODE == "wrong_fields":
        tell(type="result", id=name, data="none", warnings=[])
        time.sleep(3600)
    elif MODE == "ignores_cancel":
        # with a child, as a library might start one; its pid goes where the test can read it
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(3600)"])
        tell(type="progress", id=name, stage="child", fraction=0.1, words=str(child.pid))
        time.sleep(3600)
    elif MODE == "slow_cancel":
        tell(type="progress", id=name, stage="work", fraction=0.1, words="working")
    elif MODE == "many_steps":
        for step in range(200):
            tell(type="progress", id=name, stage="work", fraction=step / 200, words=f"step {step}")
        tell(type="result", id=name, data={"n": 1}, warnings=["careful"])
    elif MODE == "silent":
        tell(type="progress", id=name, stage="work", fraction=0.1, words="working")
        time.sleep(3600)
    elif MODE == "goodbye_early":
        return
    elif MODE == "explains":
        tell(type="failed", id=name, cause="input", sentence="No person was found.")
    else:
        tell(type="result", id=name, data={"folder": FOLDER, "pid": os.getpid()}, warnings=[])


def main():
    if MODE == "no_start":
        sys.stderr.write("ModuleNotFoundError: No module named 'json'\n")
        sys.exit(1)
    if MODE == "never_hello":
        time.sleep(3600)
    if MODE == "garbage_first":
        print("Welcome to some other program", flush=True)
        time.sleep(3600)
    if MODE == "other_protocol":
        hello(protocol=99)
        time.sleep(3600)
    if MODE == "other_version":
        hello(version="0.0.1")
        time.sleep(3600)
    hello()
    if MODE == "lacks_torch":
        tell(type="bye", reason="environment", sentence="The Python environment lacks torch; press Repair.")
        sys.exit(3)
    ready()
    if MODE == "idles_out":
        # says goodbye while a request may already be on its way, the first time only
        marker = os.path.join(FOLDER, "been_here")
        if not os.path.exists(marker):
            open(marker, "w").close()
            time.sleep(0.3)
            tell(type="bye", reason="idle", sentence="")
            os._exit(0)
    serve()


main()
