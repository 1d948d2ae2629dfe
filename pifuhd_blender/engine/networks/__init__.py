# SPDX-License-Identifier: GPL-3.0-or-later
"""The networks, one file each, as pure modules: no files, no devices, no configuration of their own."""
