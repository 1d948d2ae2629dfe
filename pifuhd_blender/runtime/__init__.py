# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes, environments and downloads around the engine.

May import the standard library alone: this room runs inside Blender and must work before anything is
installed. Knows nothing of Blender.
"""
