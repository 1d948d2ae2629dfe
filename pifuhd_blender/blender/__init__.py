# SPDX-License-Identifier: GPL-3.0-or-later
"""Everything that touches bpy: preferences, panel, operators, scene.

May import bpy, numpy (Blender ships it) and the runtime. Never imports torch or the engine: these live in the
worker process.
"""
