# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo of a person becomes a mesh in the Blender scene.

The package is Blender's extension and, without Blender, the library behind the command line. Importing it
does no work and needs no bpy; the rooms (engine, runtime, worker, blender, training) are imported by whoever
needs one.
"""


def register() -> None:
    """Enable the extension; Blender calls this."""
    # Only here: the worker and the scripts import this package where there is no bpy
    from .blender import registration  # noqa: PLC0415

    registration.register()


def unregister() -> None:
    """Disable the extension; Blender calls this."""
    from .blender import registration  # noqa: PLC0415 - as above

    registration.unregister()
