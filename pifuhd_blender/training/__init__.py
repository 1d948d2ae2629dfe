# SPDX-License-Identifier: GPL-3.0-or-later
"""Subjects, rendering, sampling, losses, training and evaluation of the compact model.

May import the engine and what requirements-develop.txt lists. Left out of the zip that Blender installs.
"""
