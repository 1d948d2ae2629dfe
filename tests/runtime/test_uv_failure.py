# SPDX-License-Identifier: GPL-3.0-or-later
"""What uv 0.13 was seen to print is told in one sentence."""

import pytest

from pifuhd_blender.runtime.uv_failure import uv_sentence

DNS = """error: Request failed after 3 retries in 6.6s
  cause: Failed to fetch: https://download.pytorch.org/whl/cpu/torch/
  cause: error sending request for url (https://download.pytorch.org/whl/cpu/torch/)
  cause: client error (Connect)
  cause: dns error"""
WHEELS = """Using Python 3.11.7 environment at: /somewhere
error: No solution found when resolving dependencies
  cause: Because numpy was not found in the provided package locations and you require numpy==2.4.6, we can \
conclude that your requirements are unsatisfiable."""
PLATFORM = """error: No solution found when resolving dependencies
  cause: Because torch==2.13.0 has no wheels with a matching platform tag (e.g., `macosx_13_0_x86_64`) and \
you require torch==2.13.0, we can conclude that your requirements are unsatisfiable."""
VERSION = """error: No solution found when resolving dependencies
  cause: Because there is no version of torch==2.99 and you require torch==2.99, we can conclude that your \
requirements are unsatisfiable."""
DISK = "error: Failed to write to the distribution cache\n  cause: No space left on device (os error 28)"
PYTHON = "error: No interpreter found for Python >=3.11, <3.14 in managed installations or search path"
CERTIFICATE = "error: Failed to fetch: https://x\n  cause: invalid peer certificate: UnknownIssuer"


@pytest.mark.parametrize(
    ("printed", "told"),
    [
        (DNS, "server could not be reached"),
        (WHEELS, "lacks numpy;"),
        (PLATFORM, "no build for this system"),
        (VERSION, "no build for this system"),
        (DISK, "disk is full"),
        (PYTHON, "install Python 3.12"),
        (CERTIFICATE, "UV_SYSTEM_CERTS"),
        ("warning: x\nerror: Something new happened", "uv could not finish: error: Something new happened"),
        ("", "no reason was given"),
    ],
)
def test_causes_and_remedies(printed: str, told: str) -> None:
    sentence = uv_sentence(printed.splitlines())
    assert told in sentence
    assert "\n" not in sentence
