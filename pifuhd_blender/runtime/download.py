# SPDX-License-Identifier: GPL-3.0-or-later
"""One file from the network: resumed, checked, never there half.

May import the standard library only. Never here: which files, and whether the network may be used; the caller
has asked. What is fetched lies beside its place as ``NAME.part`` until it is complete and right.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Generator, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from .errors import RuntimeProblem
from .folders import free_space, gigabytes, put_file_in_place
from .interruptible import each_interruptibly, interruptibly
from .job import Report

__all__ = ["fetch_file", "fetch_json", "sha256_of"]

_CHUNK = 1 << 18  # bytes
_TIMEOUT = 15.0  # seconds for one answer or one chunk
_ATTEMPTS = 5  # at a connection that breaks while it makes progress
_AGENT = "pifuhd_blender"  # some hosts refuse Python's own


class _Broken(Exception):
    """The connection gave less than the file."""

    def __init__(self, why: str, status: int = 0, size: int = -1) -> None:
        super().__init__(why)
        self.why = why
        self.status = status
        self.size = size
        """Of the file, where a server says so in refusing a part of it."""


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never from https to anything less."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:  # noqa: ANN401
        if req.full_url.startswith("https:") and not newurl.startswith("https:"):
            raise urllib.error.HTTPError(newurl, code, "redirected to an unsafe address", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def fetch_file(
    addresses: Sequence[str], target: Path, report: Report, *, size: int = 0, sha256: str = ""
) -> str:
    """Fetch a file from the first address that gives it.

    Parameters
    ----------
    addresses : sequence of str
        Mirrors of the same file, in order of preference.
    target : Path
        Where it goes. What an earlier, interrupted call has fetched is gone on with.
    report : Report
        Progress, log, cancel.
    size : int
        In bytes, for progress and the check of free space when the server doesn't tell; 0 when unknown.
    sha256 : str
        Hexadecimal; empty when nobody has published one.

    Returns
    -------
    str
        The sha256 of what was fetched.

    Raises
    ------
    RuntimeProblem
        No address gave it, it is not what was expected, there is no room, or its place can't be written to.
    Stopped
        Cancelled; the ``.part`` file stays, so that the next call goes on there.
    """
    with _writing(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    troubles: list[str] = []
    for address in addresses:
        report.line(f"Fetching {address}")
        try:
            _fetch_all(address, part, report, size)
            break
        except _Broken as broken:
            troubles.append(f"{_host(address)}: {broken.why}")
            report.line(troubles[-1])
    else:
        raise RuntimeProblem(
            f"{target.name} could not be downloaded ({'; '.join(troubles)}). Check the connection (or the "
            "proxy) "
            "and try again: it goes on where it stopped."
        )
    report.words(f"Checking {target.name}")
    found = sha256_of(part, report)
    if sha256 and found != sha256:
        _forget(part)
        raise RuntimeProblem(
            f"{target.name} did not arrive as published (its checksum differs), so it was removed; try again."
        )
    put_file_in_place(part, target)
    _forget(part)
    return found


def fetch_json(address: str) -> Any:  # noqa: ANN401 - whatever the address says
    """A small JSON document.

    Raises
    ------
    RuntimeProblem
        It can't be had.
    """
    try:
        with _open(address, {}) as answer:
            return json.loads(answer.read(32 << 20))
    except _Broken as broken:
        raise RuntimeProblem(
            f"{_host(address)} can't be reached ({broken.why}); check the connection."
        ) from None
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise RuntimeProblem(f"{_host(address)} did not answer as it should ({error}); try again.") from error


def sha256_of(path: Path, report: Report | None = None) -> str:
    """Checksum of a file, in hexadecimal; 1.5 GB take some seconds."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 22):
            digest.update(block)
            if report is not None:
                report.check()
    return digest.hexdigest()


def _fetch_all(address: str, part: Path, report: Report, size: int) -> None:
    """Fetch what is missing; a connection that breaks after some progress is taken up again."""
    failures = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            _fetch_rest(address, part, report, size)
        except _Broken as broken:
            grown = (part.stat().st_size if part.exists() else 0) > before
            failures = 0 if grown else failures + 1
            if not grown or failures >= _ATTEMPTS:
                raise
            report.line(f"The connection broke ({broken.why}); going on.")
            report.pause(1.0)
        else:
            return


def _fetch_rest(address: str, part: Path, report: Report, size: int) -> None:
    report.check()
    have = part.stat().st_size if part.exists() else 0
    known = _remembered(part)
    # Another mirror may hold another file, and a file may change: what was begun is only gone on with when
    # the server confirms that it is the same one
    if have and (known.get("address") != address or not known.get("tag")):
        have = 0
    headers = {"Range": f"bytes={have}-", "If-Range": known["tag"]} if have else {}
    try:
        answer = interruptibly(report, lambda: _open(address, headers))
    except _Broken as broken:
        if not have or broken.status != http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            raise
        if broken.size == have:  # an earlier call fetched all of it and came no further
            return
        # What is there is longer than the file: from the beginning
        answer = interruptibly(report, lambda: _open(address, {}))
    try:
        have, whole = _begin(answer, address, part, have, size)
    except BaseException:
        answer.close()
        raise
    # The thread that reads closes the answer, because nobody else can while it waits for the server
    blocks = contextlib.closing(each_interruptibly(report, lambda: _blocks(answer)))
    with _writing(part), blocks as coming, part.open("ab" if have else "wb") as file:
        got = _copy(coming, file, have, whole or size, report)
    if whole and got != whole:
        raise _Broken(f"{gigabytes(got)} of {gigabytes(whole)} came")


def _begin(answer: Any, address: str, part: Path, have: int, size: int) -> tuple[int, int]:  # noqa: ANN401
    """Remember whose bytes come now; how many there are before them, and how many in all (0: unknown)."""
    if answer.status != http.HTTPStatus.PARTIAL_CONTENT:
        have = 0
    length = answer.headers.get("Content-Length")
    whole = have + int(length) if length and length.isdigit() else 0
    if (whole or size) - have > free_space(part):
        raise RuntimeProblem(
            f"{part.stem} needs {gigabytes((whole or size) - have)} more, but only "
            f"{gigabytes(free_space(part))} are free where {part.parent} is; make room and try again."
        )
    tag = answer.headers.get("ETag") or answer.headers.get("Last-Modified") or ""
    with _writing(part):
        _memory(part).write_text(
            json.dumps({"address": address, "tag": "" if tag.startswith("W/") else tag}), encoding="utf-8"
        )
    return have, whole


def _blocks(answer: Any) -> Iterator[bytes]:  # noqa: ANN401 - urllib's own answer
    with answer:
        while True:
            try:
                block = answer.read1(_CHUNK)
            except (OSError, http.client.HTTPException) as error:
                raise _Broken(_reason(error)) from error
            if not block:
                return
            yield block


def _copy(blocks: Iterator[bytes], file: IO[bytes], have: int, whole: int, report: Report) -> int:
    for block in blocks:
        file.write(block)
        have += len(block)
        if whole:
            report.fraction(have / whole)
    return have


@contextlib.contextmanager
def _writing(path: Path) -> Generator[None]:
    """Let what the system says about a file become a sentence, also when its last bytes fail as it closes."""
    try:
        yield
    except OSError as error:
        name = path.name.removesuffix(".part")
        raise RuntimeProblem(
            f"{name} can't be written to {path.parent} ({error.strerror or error}); make room there, or see "
            "that it can be written to, and try again."
        ) from error


def _open(address: str, headers: dict[str, str]) -> Any:  # noqa: ANN401 - urllib's own answer
    host = urllib.parse.urlsplit(address)
    if host.scheme != "https" and host.hostname not in ("127.0.0.1", "localhost"):
        raise RuntimeProblem(f"{address} is no https address, so it is not used.")
    opener = urllib.request.build_opener(_SafeRedirects())
    request = urllib.request.Request(address, headers={"User-Agent": _AGENT, **headers})  # noqa: S310 - checked above
    try:
        return opener.open(request, timeout=_TIMEOUT)
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(_reason(error), getattr(error, "code", 0), _told_size(error)) from error


def _told_size(error: Exception) -> int:
    """The file's size by a refusal of a part ("Content-Range: bytes */1234"), or -1."""
    told = error.headers.get("Content-Range", "") if isinstance(error, urllib.error.HTTPError) else ""
    found = re.fullmatch(r"bytes \*/(\d+)", told.strip())
    return int(found[1]) if found else -1


def _reason(error: Exception) -> str:
    if isinstance(error, urllib.error.HTTPError):
        return f"{error.code} {error.msg}"
    return str(getattr(error, "reason", "") or error) or type(error).__name__


def _host(address: str) -> str:
    return urllib.parse.urlsplit(address).hostname or address


def _memory(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _remembered(part: Path) -> dict[str, str]:
    try:
        return json.loads(_memory(part).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}


def _forget(part: Path) -> None:
    for path in (part, _memory(part)):
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
