# SPDX-License-Identifier: GPL-3.0-or-later
"""The method: a photo of a person becomes a mesh.

May import torch, numpy, scipy, scikit-image, OpenCV, Pillow, trimesh, safetensors and fast-simplification.
Knows nothing of Blender, starts no processes and uses no network. Importing the room loads none of its
modules.
"""
