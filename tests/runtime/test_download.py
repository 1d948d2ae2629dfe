# SPDX-License-Identifier: GPL-3.0-or-later
"""A file arrives whole and right or not at all, whatever the server does; the server is on this machine."""

import hashlib
import http.server
import threading
import time
import urllib.error
from collections.abc import Iterator
from email.message import Message
from pathlib import Path
from typing import Any

import pytest

from pifuhd_blender.runtime import download
from pifuhd_blender.runtime.download import fetch_file, fetch_json
from pifuhd_blender.runtime.errors import RuntimeProblem
from pifuhd_blender.runtime.job import Job, JobState, Report
from tests.patience import within

CONTENT = bytes(range(256)) * 4096  # 1 MiB: several chunks
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(http.server.ThreadingHTTPServer):
    """Serves CONTENT at every path; the attributes make it misbehave."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []
        self.break_after: list[int] = []  # bytes after which each next answer ends early
        self.etag = '"one"'
        self.knows_ranges = True
        self.tells_size = True  # in refusing a part
        self.silent = threading.Event()  # set: answers nothing until it is cleared
        self.asked = threading.Event()
        self.delay = 0.0
        self.content = CONTENT

    def address(self, path: str = "file") -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as its server says."""

    server: Server  # pyright: ignore[reportIncompatibleVariableOverride]

    def do_GET(self) -> None:
        server = self.server
        server.asked.set()
        while server.silent.is_set():
            time.sleep(0.01)
        wanted = self.headers.get("Range")
        server.ranges.append(wanted)
        if self.path == "/missing":
            self.send_error(404)
            return
        begin = 0
        if wanted and server.knows_ranges and self.headers.get("If-Range") in (None, server.etag):
            begin = int(wanted.removeprefix("bytes=").removesuffix("-"))
        if begin >= len(server.content):
            self.send_response(416)
            if server.tells_size:
                self.send_header("Content-Range", f"bytes */{len(server.content)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if begin else 200)
        body = server.content[begin:]
        self.send_header("Content-Length", str(len(body)))
        if server.etag:
            self.send_header("ETag", server.etag)
        self.end_headers()
        if server.break_after:
            body = body[: server.break_after.pop(0)]
        for start in range(0, len(body), 65536):
            try:
                self.wfile.write(body[start : start + 65536])
            except OSError:  # the client cancelled
                return
            time.sleep(server.delay)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002, ANN401 - http.server's names
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        yield made
        made.shutdown()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_arrives_with_its_checksum(server: Server, tmp_path: Path) -> None:
    report = Report()
    target = tmp_path / "made" / "model.pt"
    assert fetch_file([server.address()], target, report, sha256=SHA256) == SHA256
    assert target.read_bytes() == CONTENT
    assert left(target.parent) == ["model.pt"]
    assert report.told()[1] == 1.0


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.break_after = [300_000, 200_000]
    fetch_file([server.address()], tmp_path / "f", Report(), sha256=SHA256)
    assert server.ranges == [None, "bytes=300000-", "bytes=500000-"]


def test_a_cancelled_download_goes_on_next_time(server: Server, tmp_path: Path) -> None:
    server.delay = 0.05
    target = tmp_path / "f"
    job = Job("Downloading", lambda report: fetch_file([server.address()], target, report, sha256=SHA256))
    deadline = time.monotonic() + 10
    while job.snapshot().fraction < 0.2 and time.monotonic() < deadline:
        time.sleep(0.01)
    began = time.monotonic()
    job.cancel()
    assert job.join(5)
    assert time.monotonic() - began < within()
    assert job.snapshot().state is JobState.CANCELLED
    assert left(tmp_path) == ["f.part", "f.part.json"]
    server.delay = 0.0
    fetch_file([server.address()], target, Report(), sha256=SHA256)
    assert server.ranges[-1] is not None
    assert target.read_bytes() == CONTENT


@pytest.mark.parametrize("why", ["no ranges", "changed", "no tag"])
def test_what_cannot_be_gone_on_with_is_begun_anew(server: Server, tmp_path: Path, why: str) -> None:
    part, memory = tmp_path / "f.part", tmp_path / "f.part.json"
    part.write_bytes(b"of something else" * 1000)
    memory.write_text(f'{{"address": "{server.address()}", "tag": "\\"old\\""}}', encoding="utf-8")
    if why == "no ranges":
        server.knows_ranges = False
    elif why == "no tag":
        memory.unlink()
    fetch_file([server.address()], tmp_path / "f", Report(), sha256=SHA256)
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_a_complete_part_of_which_nothing_is_missing(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(CONTENT + b"too much")
    (tmp_path / "f.part.json").write_text(
        f'{{"address": "{server.address()}", "tag": "\\"one\\""}}', encoding="utf-8"
    )
    fetch_file([server.address()], tmp_path / "f", Report(), sha256=SHA256)
    assert (tmp_path / "f").read_bytes() == CONTENT


def test_the_next_mirror_is_asked_when_one_has_it_not(server: Server, tmp_path: Path) -> None:
    report = Report()
    fetch_file([server.address("missing"), server.address()], tmp_path / "f", report)
    assert any("404" in line for line in report.lines())
    with pytest.raises(RuntimeProblem, match=r"could not be downloaded \(127.0.0.1: 404"):
        fetch_file([server.address("missing")], tmp_path / "g", Report())


def test_a_wrong_checksum_leaves_nothing(server: Server, tmp_path: Path) -> None:
    with pytest.raises(RuntimeProblem, match="checksum differs"):
        fetch_file([server.address()], tmp_path / "f", Report(), sha256="0" * 64)
    assert left(tmp_path) == []


def test_a_connection_that_never_gets_on_is_given_up(server: Server, tmp_path: Path) -> None:
    server.break_after = [0] * 10
    with pytest.raises(RuntimeProblem, match="goes on where it stopped"):
        fetch_file([server.address()], tmp_path / "f", Report())
    assert len(server.ranges) == 1


def test_no_room_is_said_before_it_is_filled(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "free_space", lambda _folder: 1000)
    with pytest.raises(RuntimeProblem, match="make room"):
        fetch_file([server.address()], tmp_path / "f", Report())


def test_only_safe_addresses_are_used(tmp_path: Path) -> None:
    for address in ("http://example.org/f", "file:///etc/passwd", "ftp://example.org/f"):
        with pytest.raises(RuntimeProblem, match="no https address"):
            fetch_file([address], tmp_path / "f", Report())
    request = download.urllib.request.Request("https://example.org/f")
    with pytest.raises(urllib.error.HTTPError, match="unsafe"):
        download._SafeRedirects().redirect_request(request, None, 302, "", Message(), "http://example.org/f")


def test_json_and_its_absence(server: Server) -> None:
    server.content = b'{"urls": []}'
    assert fetch_json(server.address()) == {"urls": []}
    server.content = b"<html>"
    with pytest.raises(RuntimeProblem, match="did not answer as it should"):
        fetch_json(server.address())
    with pytest.raises(RuntimeProblem, match="can't be reached"):
        fetch_json(server.address("missing"))


@pytest.mark.parametrize(("tells_size", "asked"), [(True, 1), (False, 2)])
def test_a_complete_part_is_not_fetched_again(
    server: Server,
    tmp_path: Path,
    tells_size: bool,  # noqa: FBT001 - parametrised
    asked: int,
) -> None:
    server.tells_size = tells_size
    (tmp_path / "f.part").write_bytes(CONTENT)
    (tmp_path / "f.part.json").write_text(
        f'{{"address": "{server.address()}", "tag": "\\"one\\""}}', encoding="utf-8"
    )
    fetch_file([server.address()], tmp_path / "f", Report(), sha256=SHA256)
    assert len(server.ranges) == asked
    assert left(tmp_path) == ["f"]


def test_of_a_complete_part_the_checksum_decides(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f.part").write_bytes(bytes(len(CONTENT)))
    (tmp_path / "f.part.json").write_text(
        f'{{"address": "{server.address()}", "tag": "\\"one\\""}}', encoding="utf-8"
    )
    with pytest.raises(RuntimeProblem, match="checksum differs"):
        fetch_file([server.address()], tmp_path / "f", Report(), sha256=SHA256)
    assert left(tmp_path) == []


def test_a_place_that_is_held_keeps_what_was_fetched(server: Server, tmp_path: Path) -> None:
    (tmp_path / "f").mkdir()  # stands for a file that a program has open on Windows
    with pytest.raises(RuntimeProblem, match="another program holds it"):
        fetch_file([server.address()], tmp_path / "f", Report(), sha256=SHA256)
    assert left(tmp_path) == ["f", "f.part", "f.part.json"]
    (tmp_path / "f").rmdir()
    fetch_file([server.address()], tmp_path / "f", Report(), sha256=SHA256)
    assert server.ranges == [None, f"bytes={len(CONTENT)}-"]


def test_a_place_that_can_t_be_written_to_is_a_sentence(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RuntimeProblem, match=r"f can't be written to .*; make room there"):
        fetch_file([server.address()], tmp_path / "file" / "f", Report())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a full device")
def test_a_full_disk_is_a_sentence_also_when_the_file_is_closed(server: Server, tmp_path: Path) -> None:
    server.content = CONTENT[:5000]  # stays in the buffer until the file is closed
    (tmp_path / "f.part").symlink_to("/dev/full")
    with pytest.raises(RuntimeProblem, match=r"f can't be written to .*No space left.*; make room there"):
        fetch_file([server.address()], tmp_path / "f", Report())


def test_a_silent_server_keeps_nobody_who_cancels(server: Server, tmp_path: Path) -> None:
    server.silent.set()
    job = Job("Downloading", lambda report: fetch_file([server.address()], tmp_path / "f", report))
    assert server.asked.wait(10)
    began = time.monotonic()
    job.cancel()
    assert job.join(10)
    assert time.monotonic() - began < within()
    assert job.snapshot().state is JobState.CANCELLED
    server.silent.clear()
