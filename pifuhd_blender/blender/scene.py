# SPDX-License-Identifier: GPL-3.0-or-later
"""Arrays become an object in the scene: mesh, colours, material, custom properties, normal maps.

Places are remembered as plain data and looked up again, because undo or another file may have replaced
everything since the press of the button. May import bpy and numpy. Never here: the worker, operators, undo
steps (the operator's own).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from .person_arrays import PersonArrays
from .wish import Place

__all__ = [
    "COLOURS",
    "NOTE",
    "add_person",
    "find_place",
    "make_mesh",
    "not_now",
    "picture_name",
    "present_place",
]

COLOURS = "Photo"
"""Name of the colour attribute."""

_HANDS_FULL = ("TRANSFORM_OT_", "VIEW3D_OT_interactive_add")
"""Blender's own operators during which nothing may come into the scene."""

NOTE = "pifuhd_"
"""How the names of our custom properties begin."""


def present_place(context: bpy.types.Context, *, at_cursor: bool) -> Place:
    """The place that is active now."""
    scene = context.scene
    collection = context.collection
    own = collection is None or collection == scene.collection
    x, y, z = scene.cursor.location if at_cursor else (0.0, 0.0, 0.0)
    return Place(scene.session_uid, 0 if own else collection.session_uid, (x, y, z))


def not_now(context: bpy.types.Context) -> str:
    """Why a finished person must wait, or empty.

    Outside Object Mode an undo step would not hold it, and while something is moved, rendered or baked the
    scene must not change.
    """
    if context.mode != "OBJECT":
        return "The person is ready and comes in when you are back in Object Mode"
    if bpy.app.is_job_running("RENDER"):
        return "The person is ready and comes in when the render is done"
    if bpy.app.is_job_running("OBJECT_BAKE"):
        return "The person is ready and comes in when the bake is done"
    moving = (
        operator.bl_idname
        for window in context.window_manager.windows
        for operator in window.modal_operators
        if operator.bl_idname.startswith(_HANDS_FULL)
    )
    if next(moving, ""):
        return "The person is ready and comes in when your hands are free"
    return ""


def find_place(place: Place) -> tuple[bpy.types.Scene, bpy.types.Collection, str]:
    """Scene and collection of a place as they are now.

    Returns
    -------
    scene, collection, warning
        Where the person goes; the warning, else empty, says that it is not where it was wanted.
    """
    scene = next((s for s in bpy.data.scenes if s.session_uid == place.scene), None)
    if scene is None:
        scene = bpy.context.scene
        return scene, scene.collection, "Its scene is gone, so the person stands in this one."
    if place.collection == 0:
        return scene, scene.collection, ""
    collection = next((c for c in bpy.data.collections if c.session_uid == place.collection), None)
    if collection is None or collection not in scene.collection.children_recursive:
        return scene, scene.collection, "Its collection is gone, so the person stands in the scene's own."
    if collection.library or collection.override_library:
        warning = "Its collection is linked and can't be changed, so the person stands in the scene's own."
        return scene, scene.collection, warning
    return scene, collection, ""


def add_person(
    name: str,
    person: PersonArrays,
    place: Place,
    notes: Mapping[str, Any],
    *,
    normal_maps: bool = False,
) -> tuple[bpy.types.Object, str]:
    """Put a person into the scene.

    Parameters
    ----------
    name : str
        For object and mesh.
    person : PersonArrays
        In metres.
    place : Place
        Where it stands.
    notes : mapping
        Custom properties of the object, without their prefix: str, numbers, and dicts of these.
    normal_maps : bool
        Whether to keep the normal maps as packed images.

    Returns
    -------
    object, warning
        The warning is a sentence or empty.
    """
    scene, collection, warning = find_place(place)
    mesh = make_mesh(name, person, 1.0 / _metres_per_unit(scene))
    mesh.materials.append(_make_material(name, person))
    thing = bpy.data.objects.new(name, mesh)
    thing.location = place.location
    collection.objects.link(thing)
    for key, value in notes.items():
        thing[NOTE + key] = value
    if normal_maps:
        for side, picture in (("front", person.front), ("back", person.back)):
            if picture is not None:
                thing[f"{NOTE}normals_{side}"] = _make_image(f"{name} {side} normals", picture)
    _make_active(thing)
    return thing, warning or _out_of_sight(thing)


def make_mesh(name: str, person: PersonArrays, scale: float = 1.0) -> bpy.types.Mesh:
    """A mesh with smooth shading and colours.

    Everything is written by whole arrays, edges included: with half a million vertices this takes less than
    0.1 s, where Blender's own search for edges alone takes 0.4 s.

    Parameters
    ----------
    name : str
        Of the mesh.
    person : PersonArrays
        What it is made of.
    scale : float
        Blender units a metre.
    """
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(person.vertices))
    mesh.edges.add(len(person.edges))
    mesh.loops.add(person.faces.size)
    mesh.polygons.add(len(person.faces))
    vertices = person.vertices if scale == 1.0 else person.vertices * np.float32(scale)
    # The attributes behind vertices, edges and loops take arrays as they are; the old accessors go one by one
    attributes: Any = mesh.attributes  # bpy's types don't say which kind each one is
    attributes["position"].data.foreach_set("vector", vertices.reshape(-1))
    attributes[".edge_verts"].data.foreach_set("value", person.edges.reshape(-1))
    for attribute, values in (
        (".corner_vert", person.faces.reshape(-1)),
        (".corner_edge", person.corner_edges),
    ):
        found = attributes.get(attribute) or attributes.new(attribute, "INT", "CORNER")
        found.data.foreach_set("value", values)
    mesh.polygons.foreach_set("loop_start", np.arange(0, person.faces.size, 3, dtype=np.int32))
    mesh.update()
    if person.colours is not None:
        colours: Any = mesh.color_attributes.new(COLOURS, "BYTE_COLOR", "POINT")
        colours.data.foreach_set("color_srgb", person.colours.reshape(-1))
        mesh.color_attributes.active_color_name = COLOURS
        mesh.color_attributes.render_color_index = mesh.color_attributes.find(COLOURS)
    return mesh


def _make_material(name: str, person: PersonArrays) -> bpy.types.Material:
    """Shows the colour attribute when rendered and previewed, and the mean colour in Solid."""
    material: Any = bpy.data.materials.new(name)  # nodes and sockets have no useful types
    material.diffuse_color = (*person.average_colour, 1.0)
    material.roughness = 0.8
    if material.node_tree is None:  # before 5.0 a new material has no nodes
        material.use_nodes = True
    tree = material.node_tree
    shader = next(node for node in tree.nodes if node.type == "BSDF_PRINCIPLED")
    shader.inputs["Roughness"].default_value = 0.8  # cloth and skin more than plastic
    shader.inputs["Base Color"].default_value = (*person.average_colour, 1.0)
    if person.colours is not None:
        source = tree.nodes.new("ShaderNodeVertexColor")
        source.layer_name = COLOURS
        source.location = (shader.location.x - 220, shader.location.y - 60)
        tree.links.new(source.outputs["Color"], shader.inputs["Base Color"])
    return material


def _make_image(name: str, picture: np.ndarray[Any, np.dtype[np.float32]]) -> bpy.types.Image:
    """A packed image; (H, W, 4) in [0, 1], bottom row first."""
    height, width = picture.shape[:2]
    image: Any = bpy.data.images.new(name, width, height)  # bpy's types take no arrays for pixels
    image.colorspace_settings.name = "Non-Color"
    image.pixels.foreach_set(picture.reshape(-1))
    image.pack()
    return image


def _make_active(thing: bpy.types.Object) -> None:
    """Select it alone, where the scene that is looked at shows it."""
    layer = bpy.context.view_layer
    if layer is None:
        return
    view = bpy.context.space_data
    if isinstance(view, bpy.types.SpaceView3D) and view.local_view is not None:
        thing.local_view_set(view, True)  # as with all that is added there; else it would not be seen
    try:
        thing.select_set(True, view_layer=layer)
    except RuntimeError:  # another scene is looked at, or the collection is excluded
        return
    for other in list(layer.objects.selected):
        if other != thing:
            other.select_set(False, view_layer=layer)
    layer.objects.active = thing


def _out_of_sight(thing: bpy.types.Object) -> str:
    """Say so when the scene that is looked at has the person in a collection that it hides."""
    scene, layer = bpy.context.scene, bpy.context.view_layer
    if layer is None or thing.name not in scene.objects or thing.visible_get(view_layer=layer):
        return ""
    return "Its collection is hidden, so the person can't be seen; show the collection in the Outliner."


def _metres_per_unit(scene: bpy.types.Scene) -> float:
    units = scene.unit_settings
    return 1.0 if units.system == "NONE" else float(units.scale_length)


def picture_name(path: str) -> str:
    """The name that a person gets from its picture."""
    return Path(path).stem or "Person"
