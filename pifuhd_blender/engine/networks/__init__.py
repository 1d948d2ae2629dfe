# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks, one file each: pure torch modules. Never here: files, pictures, points or processes."""
