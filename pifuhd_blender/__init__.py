# SPDX-License-Identifier: GPL-3.0-or-later
"""One photo of a person becomes a mesh in the Blender scene.

The package is Blender's extension and, without Blender, the library behind the command line. Importing it
does no work and needs no bpy; the rooms (engine, runtime, worker, blender, training) are imported by whoever
needs one.
"""
