# SPDX-License-Identifier: GPL-3.0-or-later
"""What every test shares: nothing but order so far. Imports pytest only, so that rooms stay apart."""
