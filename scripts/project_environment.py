# SPDX-License-Identifier: GPL-3.0-or-later
"""The project's own Python environments: made on first use, reused, mended, renewed with their pins.

For the scripts in this folder: .venv for everything, and .venv-blender for Blender's Python module. Standard
library alone, and readable by old Pythons, so that these get a sentence instead of a syntax error. Nothing
outside the repository is installed or changed, and an environment that these scripts did not make is never
touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from pinned_packages import EnvironmentProblem, install, last_line, say

__all__ = [
    "ROOT",
    "EnvironmentProblem",
    "ensure_blender_module",
    "ensure_environment",
    "environment_python",
    "find_python",
    "here_is_enough",
    "replace_process",
    "run_guarded",
    "start_again",
]

TYPE_CHECKING = False
if TYPE_CHECKING:  # typing costs an import, and old Pythons lack half of it
    from collections.abc import Callable, Generator

ROOT = Path(__file__).resolve().parent.parent
# What the pinned packages have wheels for, the first choice first; Blender's module is for one Python each
PYTHONS = ((3, 12), (3, 13), (3, 11))
PYTHONS_OF_BLENDER = ((3, 11), (3, 13))
REQUIREMENTS = {
    "run": ROOT / "pifuhd_blender" / "runtime" / "requirements.txt",
    "develop": ROOT / "requirements-develop.txt",
    "blender": ROOT / "requirements-blender.txt",
}
# Enough for the CPU or Apple build with everything; the CUDA build on Linux takes about 8 GB, and a full disk
# is said all the same when it happens.
NEEDED_BYTES = 3_000_000_000
STAMP = "project-environment.json"
# Modules that the engine cannot do without: a Python that has them all needs no environment of ours
RUN_MODULES = (
    "torch", "numpy", "scipy", "skimage", "cv2", "PIL", "trimesh",
    "safetensors", "fast_simplification", "tqdm",
)  # fmt: skip
TRAIN_MODULES = (*RUN_MODULES, "moderngl", "igl", "embreex", "matplotlib", "tflite")


def ensure_blender_module(folder: Path = ROOT / ".venv-blender") -> Path:
    """Path of a Python in which ``import bpy`` works: an environment of its own, made when there is none.

    Raises
    ------
    EnvironmentProblem
        As for :func:`ensure_environment`.
    """
    return _ensured(["blender"], folder, PYTHONS_OF_BLENDER)


def ensure_environment(level: str = "run", folder: Path = ROOT / ".venv") -> Path:
    """Path of a Python that has everything for ``level``; the environment is made when there is none.

    Parameters
    ----------
    level : str
        ``run``: what the engine needs. ``develop``: tests, checks and training on top.
    folder : Path
        Where the environment stands.

    Raises
    ------
    EnvironmentProblem
        Python is too old or lacks venv, there is no network or no space, ``folder`` is somebody else's, or it
        is out of date and holds the Python that runs.
    """
    return _ensured(["run"] if level == "run" else ["run", "develop"], folder, PYTHONS)


def _ensured(levels: list[str], folder: Path, pythons: tuple[tuple[int, int], ...]) -> Path:
    wanted = {name: _digest(REQUIREMENTS[name]) for name in levels}
    with _locked(folder):
        stamp = _read_stamp(folder)
        installed = stamp.get("installed", {}) if _works(folder) else {}
        if wanted.items() <= installed.items():
            return environment_python(folder)
        # Only a sound environment whose pins still hold is added to; anything else is made anew, because pip
        # neither removes what is no longer listed nor repairs what an interruption left half written.
        sound = bool(installed) and all(installed[name] == _digest(REQUIREMENTS[name]) for name in installed)
        if not sound:
            if Path(sys.prefix).resolve() == folder.resolve():
                raise EnvironmentProblem(
                    f"The environment {folder} has to be made anew, which the Python inside it can't do; "
                    "start the script again with the system's Python."
                )
            _make_empty(folder, find_python(pythons), interrupted=bool(stamp) and not installed)
        missing = [name for name in levels if not sound or name not in installed]
        _write_stamp(folder, {})
        install(environment_python(folder), [REQUIREMENTS[name] for name in missing], folder)
        _write_stamp(folder, {**(installed if sound else {}), **{name: wanted[name] for name in missing}})
    return environment_python(folder)


def environment_python(folder: Path) -> Path:
    """The environment's interpreter, where this system puts it."""
    return folder / "Scripts" / "python.exe" if os.name == "nt" else folder / "bin" / "python"


def here_is_enough(level: str = "run") -> bool:
    """Whether the Python that runs now has all that a level needs (its own environment or the user's)."""
    modules = TRAIN_MODULES if level == "train" else RUN_MODULES
    return sys.version_info >= min(PYTHONS) and all(importlib.util.find_spec(name) for name in modules)


def start_again(script: str, level: str = "run") -> int | None:
    """Start a script again in the project's environment, unless the Python that runs now will do.

    Parameters
    ----------
    script : str
        The script's file; its arguments are those of this process.
    level : str
        As :func:`ensure_environment` takes it, or ``train``. For ``run`` any Python will do that has what the
        engine needs, for ``train`` one that has what training needs on top, such as a cluster's with the
        right torch; for ``develop`` the project's own alone.

    Returns
    -------
    int or None
        None: go on here. Otherwise the exit status to end with (see :func:`replace_process`).

    Raises
    ------
    EnvironmentProblem
        As for :func:`ensure_environment`.
    """
    if level != "develop" and here_is_enough(level):
        return None
    python = ensure_environment("run" if level == "run" else "develop")
    if level != "run" and Path(sys.prefix).resolve() == python.parent.parent.resolve():
        return None
    return replace_process(python, [script, *sys.argv[1:]])


def replace_process(python: Path, arguments: list[str]) -> int:
    """Go on as ``python arguments``: takes this process's place where the system can, else waits for a child.

    Returns
    -------
    int
        The child's exit status (only where the process could not be replaced).
    """
    command = [str(python), *arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    if os.name == "posix":
        os.execv(command[0], command)  # noqa: S606 - no shell is wanted; one process gets the signals
    # On Windows exec returns to the prompt at once, so a child it is; Ctrl-C reaches both, and the child
    # decides
    child = subprocess.Popen(command)
    while True:
        with contextlib.suppress(KeyboardInterrupt):
            return child.wait()


def run_guarded(main: Callable[[], int]) -> None:
    """Run a script's ``main``, then end; a problem of the environment is one sentence and status 1."""
    try:
        status = main()
    except EnvironmentProblem as problem:
        say(str(problem))
        status = 1
    except KeyboardInterrupt:
        say("Interrupted. Start it again and it goes on.")
        status = 1
    sys.exit(status)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_text(encoding="utf-8").encode()).hexdigest()


def _read_stamp(folder: Path) -> dict[str, dict[str, str]]:
    try:
        return json.loads((folder / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _write_stamp(folder: Path, installed: dict[str, str]) -> None:
    """Say what is wholly installed; nothing marks work in progress, so that an interruption shows."""
    fresh = folder / (STAMP + ".part")
    fresh.write_text(json.dumps({"installed": installed}, indent=1), encoding="utf-8")
    fresh.replace(folder / STAMP)


def _works(folder: Path) -> bool:
    """Whether the interpreter still starts: the Python it was made from may be gone."""
    try:
        done = subprocess.run([str(environment_python(folder)), "-c", ""], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


def _make_empty(folder: Path, python: list[str], *, interrupted: bool) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / STAMP).exists():
        raise EnvironmentProblem(
            f"{folder} was not made by these scripts; move it away or remove it, then start again."
        )
    # The old one gives its space back, so it is counted as free
    old = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file()) if folder.exists() else 0
    free = shutil.disk_usage(folder.parent).free + old
    if free < NEEDED_BYTES:
        raise EnvironmentProblem(
            f"The environment needs about {NEEDED_BYTES / 1e9:.0f} GB, but only {free / 1e9:.1f} GB are free "
            f"where {folder.parent} is; make space and start again."
        )
    if folder.exists():
        why = "was left unfinished" if interrupted else "no longer fits the pinned versions"
        say(f"The environment in {folder} {why}; making it anew.")
        try:
            shutil.rmtree(folder)
        except OSError as error:
            raise EnvironmentProblem(
                f"{folder} is in use ({error}); close what uses it and start again."
            ) from error
    else:
        say(f"First start: making an environment of its own in {folder} (some minutes, once).")
    folder.mkdir(parents=True)
    _write_stamp(folder, {})
    done = subprocess.run([*python, "-m", "venv", str(folder)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise EnvironmentProblem(
            f"Python's venv module failed: {last_line(done.stdout + done.stderr)} "
            "(on Debian and Ubuntu it comes with the package python3-venv)."
        )


def find_python(wanted: tuple[tuple[int, int], ...] = PYTHONS) -> list[str]:
    """Command of a Python that pinned packages support: this one, or another found on the machine.

    Parameters
    ----------
    wanted : tuple
        Versions (major, minor); of several that are there and not this one, the first.

    Raises
    ------
    EnvironmentProblem
        There is none, or the only one lacks venv.
    """
    versions = [f"{major}.{minor}" for major, minor in wanted]
    names = [f"python{version}" for version in versions]
    candidates = [[sys.executable], *([found] for found in map(shutil.which, names) if found)]
    if os.name == "nt" and shutil.which("py"):
        candidates += [["py", f"-{version}"] for version in versions]
    without_venv = ""
    question = "import sys; print(*sys.version_info[:2]); import venv, ensurepip"
    for command in candidates:
        done = subprocess.run([*command, "-c", question], capture_output=True, text=True, check=False)
        version = tuple(int(number) for number in done.stdout.split())
        if version not in wanted:  # also a version manager's stub without a version behind it
            continue
        if done.returncode == 0:
            return command
        without_venv = " ".join(command)
    if without_venv:
        raise EnvironmentProblem(
            f"{without_venv} has no venv module; install it (on Debian and Ubuntu: apt install python3-venv) "
            "and start again."
        )
    raise EnvironmentProblem(
        f"This is Python {sys.version_info[0]}.{sys.version_info[1]}, and the packages need "
        f"{' or '.join(sorted(versions))}; install one of these (python.org) and start again."
    )


@contextlib.contextmanager
def _locked(folder: Path) -> Generator[None]:
    """One process at a time makes the environment; the system lets go of the lock when the process ends."""
    with folder.with_name(folder.name + ".lock").open("a+b") as handle:
        waiting = False
        while not _try_lock(handle.fileno()):
            if not waiting:
                say("Another start is making the environment; waiting for it.")
            waiting = True
            time.sleep(0.5)
        yield


if os.name == "nt":
    import msvcrt

    def _try_lock(descriptor: int) -> bool:
        os.lseek(descriptor, 0, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
