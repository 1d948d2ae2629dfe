# SPDX-License-Identifier: GPL-3.0-or-later
"""Synthetic people and the training of the method. Left out of the extension's zip; never imports bpy."""
