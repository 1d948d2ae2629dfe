# SPDX-License-Identifier: GPL-3.0-or-later
"""Whole lines go through the pipes, whoever sends them; what taking over does is in tests/test_worker.py."""

import os
import threading

from pifuhd_blender.runtime.messages import Tell, decode
from pifuhd_blender.runtime.protected_stream import ProtectedStream


def test_messages_of_many_threads_do_not_mix() -> None:
    reading, writing = os.pipe()
    stream = ProtectedStream(-1, writing)
    words = "x" * 20_000  # several of them are more than a pipe takes at once

    def tell(name: str) -> None:
        for step in range(20):
            stream.tell(Tell.PROGRESS, id=name, stage=str(step), fraction=0.5, words=words)

    threads = [threading.Thread(target=tell, args=(f"r{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    with os.fdopen(reading, "rb") as pipe:
        messages = [decode(pipe.readline(), Tell) for _ in range(80)]
    for thread in threads:
        thread.join(5)
    os.close(writing)
    assert all(message["words"] == words for message in messages)
    assert sorted(int(m["stage"]) for m in messages if m["id"] == "r2") == list(range(20))


def test_lines_come_whole_and_the_end_is_told() -> None:
    reading, writing = os.pipe()
    os.write(writing, b"one\ntwo\nth")
    os.write(writing, b"ree\nnever finished")
    os.close(writing)
    assert list(ProtectedStream(reading, -1).lines()) == [b"one", b"two", b"three"]
    os.close(reading)
