# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo of a person becomes a mesh in the Blender scene.

The package is Blender's extension and, without Blender, the library behind the command line. Importing it
does no work and needs no bpy; the rooms (engine, runtime, worker, blender, training) are imported by whoever
needs one.
"""


def register() -> None:
    """Enable the extension; Blender calls this."""
    _registration().register()


def unregister() -> None:
    """Disable the extension; Blender calls this."""
    _registration().unregister()


def _registration():  # noqa: ANN202 - a module; its type would need the import that is avoided here
    # By name and only when Blender asks: the worker and the scripts import this package where there is no
    # bpy, and every room belongs to it, so an import statement would lead from each of them to bpy
    import importlib  # noqa: PLC0415 - importing the package does no work

    return importlib.import_module(".blender.registration", __name__)
