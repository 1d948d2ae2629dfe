# SPDX-License-Identifier: GPL-3.0-or-later
"""Offscreen renderer of subjects: colour, normals and depth of the near and of the far side. moderngl.

One view gives three pictures in the same pixel grid: colour with alpha (premultiplied, over black), the
view-space normal, and the depth. The far side is the same camera with the depth test reversed; nothing is lit
there, since its colour is never asked for.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple, Self

import cv2
import moderngl
import numpy as np
from numpy.typing import NDArray

from .geometry import split_at_seams, vertex_normals
from .light import Lighting, Shading
from .subject import Piece
from .views import View

__all__ = ["Look", "Picture", "Rasteriser", "Scene", "Side"]

VERTEX_SHADER = """#version 330
in vec3 position; in vec3 normal; in vec2 uv; in float ambient; in float key; in vec3 rest;
uniform mat3 turn; uniform vec3 centre; uniform float scale; uniform float perspective; uniform float side;
out vec3 v_normal; out vec2 v_uv; out float v_ambient; out float v_key; out vec3 v_rest; out float v_depth;
void main() {
  vec3 q = turn * position;
  v_normal = turn * normal; v_uv = uv; v_ambient = ambient; v_key = key; v_rest = rest; v_depth = q.z;
  float k = 1.0 / (1.0 - (q.z - centre.z) * perspective);
  gl_Position = vec4((q.xy - centre.xy) * k * scale, -(q.z - centre.z) * scale * side / 3.0, 1.0);
}"""

FRAGMENT_SHADER = """#version 330
in vec3 v_normal; in vec2 v_uv; in float v_ambient; in float v_key; in vec3 v_rest; in float v_depth;
uniform sampler2D albedo;
uniform vec3 tint; uniform float wash; uniform float alpha_cut; uniform float gloss;
uniform vec3 sh[9]; uniform vec3 key_direction; uniform vec3 key_colour;
uniform vec3 second_direction; uniform vec3 second_colour;
uniform float side; uniform float exposure;
uniform int pattern; uniform float pattern_size; uniform float pattern_phase;
uniform float pattern_share; uniform vec3 pattern_colour;
layout(location=0) out vec4 colour; layout(location=1) out vec4 normal; layout(location=2) out float depth;
float hash(vec3 p) { return fract(sin(dot(p, vec3(12.9898, 78.233, 37.719))) * 43758.5453); }
float noise(vec3 p) {
  vec3 i = floor(p), f = fract(p); f = f * f * (3.0 - 2.0 * f); float v = 0.0;
  for (int k = 0; k < 8; k++) {
    vec3 o = vec3(k & 1, (k >> 1) & 1, (k >> 2) & 1);
    vec3 w = mix(1.0 - f, f, o);
    v += hash(i + o) * w.x * w.y * w.z;
  }
  return v;
}
float printed() {
  vec3 q = v_rest * pattern_size;
  if (pattern == 1) return step(0.5, fract(q.y + pattern_phase));
  if (pattern == 2) return step(0.5, fract(q.x + pattern_phase));
  if (pattern == 3) return 0.5 * step(0.5, fract(q.x)) + 0.5 * step(0.5, fract(q.y));
  if (pattern == 4) return smoothstep(0.45, 0.6, noise(q * 2.0));
  return 0.0;
}
void main() {
  vec4 texel = texture(albedo, vec2(v_uv.x, 1.0 - v_uv.y));
  if (texel.a < alpha_cut) discard;
  vec3 n = normalize(v_normal); if (n.z * side < 0.0) n = -n;
  vec3 ambient = sh[0]*0.2821 + sh[1]*0.4886*n.y + sh[2]*0.4886*n.z + sh[3]*0.4886*n.x
    + sh[4]*1.0925*n.x*n.y + sh[5]*1.0925*n.y*n.z + sh[6]*0.3154*(3.0*n.z*n.z-1.0)
    + sh[7]*1.0925*n.x*n.z + sh[8]*0.5463*(n.x*n.x-n.y*n.y);
  vec3 base = pow(texel.rgb, vec3(2.2)); float luminance = dot(base, vec3(0.3, 0.6, 0.1));
  base = mix(base, vec3(0.15 + 1.6 * luminance), wash) * tint;
  base = mix(base, pattern_colour * (0.3 + luminance), printed() * pattern_share);
  vec3 half_way = normalize(key_direction + vec3(0, 0, side));
  vec3 direct = key_colour * v_key * max(dot(n, key_direction), 0.0);
  direct += second_colour * v_ambient * max(dot(n, second_direction), 0.0);
  vec3 light = base * (max(ambient, vec3(0.02)) * v_ambient + direct);
  light += gloss * pow(max(dot(n, half_way), 0.0), 24.0) * v_ambient * (0.3 + v_key);
  light *= exposure; light = light / (1.0 + 0.25 * light * light);
  colour = vec4(pow(clamp(light, 0.0, 1.0), vec3(1.0 / 2.2)), 1.0);
  normal = vec4(n * 0.5 + 0.5, 1.0);
  depth = v_depth;
}"""


FAR_SHADER = """#version 330
in vec3 v_normal; in vec2 v_uv; in float v_depth;
uniform sampler2D albedo; uniform float alpha_cut; uniform float side;
layout(location=0) out vec4 normal; layout(location=1) out float depth;
void main() {
  if (texture(albedo, vec2(v_uv.x, 1.0 - v_uv.y)).a < alpha_cut) discard;
  vec3 n = normalize(v_normal); if (n.z * side < 0.0) n = -n;
  normal = vec4(n * 0.5 + 0.5, 1.0);
  depth = v_depth;
}"""
FLOAT = 4  # bytes


@dataclass(frozen=True)
class Look:
    """How a piece's surface answers light; each field is a uniform of the fragment shader.

    Attributes
    ----------
    tint
        Linear RGB factor on the texture.
    wash
        In [0, 1]: how much of the texture's own colour turns into grey before it is tinted.
    gloss
        Strength of the highlight.
    pattern
        0 none, 1 and 2 stripes, 3 checks, 4 blots: a print that is drawn in the piece's rest pose.
    pattern_size, pattern_phase
        Repeats a metre, and where they begin, in repeats.
    pattern_share, pattern_colour
        How far the print covers the cloth, in [0, 1], and its linear RGB.
    """

    tint: tuple[float, float, float] = (1.0, 1.0, 1.0)
    wash: float = 0.0
    gloss: float = 0.0
    pattern: int = 0
    pattern_size: float = 1.0
    pattern_phase: float = 0.0
    pattern_share: float = 0.0
    pattern_colour: tuple[float, float, float] = (1.0, 1.0, 1.0)


class Picture(NamedTuple):
    """The near side of a view.

    Attributes
    ----------
    colour
        (S, S, 4) premultiplied RGBA.
    normal
        (S, S, 4): 0.5 + n / 2 premultiplied, and alpha; view space (x right, y up, z to the viewer).
    depth
        (D, D) metres along the view, towards the viewer, NaN where nothing is.
    """

    colour: NDArray[np.uint8]
    normal: NDArray[np.uint8]
    depth: NDArray[np.float32]


class Side(NamedTuple):
    """The far side of a view: what :class:`Picture` has but for the colour."""

    normal: NDArray[np.uint8]
    depth: NDArray[np.float32]


@dataclass
class _Part:
    piece: Piece
    look: Look
    near: moderngl.VertexArray
    far: moderngl.VertexArray
    buffers: list[moderngl.Buffer]


@dataclass
class Scene:
    """One subject on the graphics card; a context manager that frees it."""

    parts: list[_Part] = field(default_factory=list)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for part in self.parts:
            for resource in (part.near, part.far, *part.buffers):
                resource.release()


class Rasteriser:
    """Renders subjects; owns a graphics context, so it stays in the process that made it.

    Parameters
    ----------
    size
        Pixels of a picture's sides.
    depth_size
        Pixels of a depth map's sides; divides those drawn.
    supersample
        How many times larger it is drawn; the smoothness of edges and the time spent depend on it.
    skin_inside
        Whether to draw the skin from within, which shows where one looks into a sleeve, if at all.
    """

    def __init__(
        self, size: int = 512, depth_size: int = 128, supersample: float = 2, *, skin_inside: bool = True
    ) -> None:
        self._skin_inside = skin_inside
        self.size, self.depth_size = size, depth_size
        self._drawn = drawn = round(size * supersample)
        # Linux servers have no display; elsewhere the platform's own context is the one that works.
        backend = {"backend": "egl"} if sys.platform.startswith("linux") else {}
        self._context = moderngl.create_context(
            standalone=True,
            **backend,  # pyright: ignore[reportArgumentType]  its stub types each setting as a dict
        )
        self._colour = self._context.texture((drawn, drawn), 4)
        self._normal = self._context.texture((drawn, drawn), 4)
        self._depth = self._context.texture((drawn, drawn), 1, dtype="f4")
        buffer = self._context.depth_texture((drawn, drawn))
        self._target = self._context.framebuffer([self._colour, self._normal, self._depth], buffer)
        self._far_target = self._context.framebuffer([self._normal, self._depth], buffer)
        self._program = self._context.program(VERTEX_SHADER, FRAGMENT_SHADER)
        self._far_program = self._context.program(VERTEX_SHADER, FAR_SHADER)
        self._textures: dict[str, moderngl.Texture] = {}

    def _keep_texture(self, name: str, pixels: NDArray[np.uint8]) -> None:
        if name not in self._textures:
            height, width, channels = pixels.shape
            texture = self._context.texture((width, height), channels, np.ascontiguousarray(pixels).tobytes())
            texture.build_mipmaps()
            texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
            self._textures[name] = texture

    def upload(
        self,
        pieces: list[Piece],
        shading: list[Shading],
        looks: list[Look],
        textures: dict[str, NDArray[np.uint8]],
    ) -> Scene:
        """Put a subject on the card.

        Parameters
        ----------
        pieces, shading, looks
            One of each for every piece.
        textures
            RGBA pixels (H, W, 4) of each texture that a piece names.
        """
        scene = Scene()
        for piece, light, look in zip(pieces, shading, looks, strict=True):
            self._keep_texture(piece.texture, textures[piece.texture])
            corners = split_at_seams(piece.faces, piece.texture_faces)
            columns = [
                piece.vertices[corners.vertex],
                vertex_normals(piece.vertices, piece.faces)[corners.vertex],
                piece.texture_coordinates[corners.texture],
                light.ambient[corners.vertex, None],
                light.key[corners.vertex, None],
                piece.rest[corners.vertex],
            ]
            vertices = self._context.buffer(np.concatenate(columns, 1).astype(np.float32).tobytes())
            indices = self._context.buffer(corners.faces.tobytes())
            layout = [(vertices, "3f 3f 2f 1f 1f 3f", "position", "normal", "uv", "ambient", "key", "rest")]
            near = self._context.vertex_array(self._program, layout, indices)
            layout = [(vertices, f"3f 3f 2f {5 * FLOAT}x", "position", "normal", "uv")]
            far = self._context.vertex_array(self._far_program, layout, indices)
            scene.parts.append(_Part(piece, look, near, far, [vertices, indices]))
        return scene

    def render(self, scene: Scene, view: View, lighting: Lighting) -> Picture:
        """Draw the near side.

        Parameters
        ----------
        scene
            From :meth:`upload` of this rasteriser.
        view
            The camera.
        lighting
            In the view's frame.
        """
        _set_uniforms(self._program, {
            **_camera(view, 1.0), "sh": [tuple(row) for row in lighting.surroundings],
            "key_direction": tuple(lighting.key_direction), "key_colour": tuple(lighting.key_colour),
            "second_direction": tuple(lighting.second_direction),
            "second_colour": tuple(lighting.second_colour), "exposure": lighting.exposure,
        })  # fmt: skip
        self._clear(self._target, hidden="back")
        for part in scene.parts:
            values = {each.name: getattr(part.look, each.name) for each in fields(part.look)}
            _set_uniforms(self._program, values)
            self._draw(part, part.near, self._program)
        colour, normal = self._pixels(self._colour), self._pixels(self._normal)
        return Picture(self._shrunk(colour), self._shrunk(normal), self._sampled_depth(normal))

    def render_back(self, scene: Scene, view: View) -> Side:
        """Draw the far side of a scene in the same pixel grid; normals and depth alone."""
        _set_uniforms(self._far_program, _camera(view, -1.0))
        self._clear(self._far_target, hidden="front")
        for part in scene.parts:
            self._draw(part, part.far, self._far_program)
        normal = self._pixels(self._normal)
        return Side(self._shrunk(normal), self._sampled_depth(normal))

    def _clear(self, target: moderngl.Framebuffer, hidden: str) -> None:
        """Begin a picture; ``hidden`` is the side of closed surfaces that it can't show."""
        target.use()
        self._context.enable(moderngl.DEPTH_TEST)
        self._context.cull_face = hidden
        self._context.clear(0.0, 0.0, 0.0, 0.0)

    def _draw(self, part: _Part, array: moderngl.VertexArray, program: moderngl.Program) -> None:
        texture = part.piece.texture
        self._textures[texture].use(0)
        _set_uniforms(program, {"alpha_cut": 0.4 if texture.endswith("webp") else 0.0})
        if part.piece.kind == "skin" and not self._skin_inside:
            self._context.enable(moderngl.CULL_FACE)
        else:
            self._context.disable(moderngl.CULL_FACE)
        array.render()

    def _pixels(self, texture: moderngl.Texture) -> NDArray[np.uint8]:
        """What was drawn, (D, D, 4), row 0 at the top."""
        return np.frombuffer(texture.read(), np.uint8).reshape(self._drawn, self._drawn, 4)[::-1]

    def _sampled_depth(self, normal: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The depth at the middle of each pixel of the depth map, NaN where nothing was drawn."""
        depth = np.frombuffer(self._depth.read(), np.float32).reshape(self._drawn, self._drawn)[::-1]
        step = self._drawn // self.depth_size
        at_centres = (slice(step // 2, None, step),) * 2
        return np.where(normal[at_centres][..., 3] > 0, depth[at_centres], np.nan).astype(np.float32)

    def _shrunk(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(pixels, (self.size, self.size), interpolation=cv2.INTER_AREA), np.uint8)


def _set_uniforms(program: moderngl.Program, values: Mapping[str, object]) -> None:
    for name, value in values.items():
        program[name] = value


def _camera(view: View, side: float) -> dict[str, object]:
    """The vertex shader's uniforms; ``side`` is 1 for the near and -1 for the far one."""
    return {
        "turn": tuple(view.turn.T.ravel()), "centre": tuple(view.centre), "scale": 1.0 / view.half,
        "perspective": view.perspective, "side": side,
    }  # fmt: skip
