# SPDX-License-Identifier: GPL-3.0-or-later
"""Every kind of picture file becomes the same upright photo, or one sentence."""

from __future__ import annotations

import contextlib
import struct
import subprocess
import sys
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

from pifuhd_blender.engine.errors import UnusableInput
from pifuhd_blender.engine.photo import LARGEST_PIXELS, load_photo

WIDTH, HEIGHT = 120, 90
RGB = NDArray[np.uint8]


@pytest.fixture(name="scene")
def make_scene() -> RGB:
    """Smooth, different in every corner and channel, so that compression costs little and turns show."""
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([40 + x, 60 + y, 200 - x // 2 - y], axis=-1).astype(np.uint8)


def write(path: Path, image: Image.Image, **options: Any) -> Path:  # noqa: ANN401 - Pillow's own
    image.save(path, **options)
    return path


def assert_close(actual: RGB, expected: RGB, levels: float) -> None:
    assert actual.dtype == np.uint8
    assert actual.shape == expected.shape
    assert np.abs(actual.astype(int) - expected).mean() <= levels


@pytest.mark.parametrize("name", ["a.png", "a.bmp", "a.tif", "a.webp", "a.jpg"])
def test_every_format_reads(tmp_path: Path, scene: RGB, name: str) -> None:
    path = write(tmp_path / name, Image.fromarray(scene), **({"lossless": True} if "webp" in name else {}))
    photo = load_photo(path)
    assert_close(photo.rgb, scene, 1.5 if "jpg" in name else 0)  # JPEG loses a level or so
    assert photo.alpha is None
    assert photo.warnings == ()
    assert photo.path == path


def test_a_file_is_known_by_its_content_and_not_by_its_name(tmp_path: Path, scene: RGB) -> None:
    path = write(tmp_path / "holiday.png", Image.fromarray(scene))
    assert_close(load_photo(path.rename(tmp_path / "ferien ümläut.jpg")).rgb, scene, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.webp"])
def test_exif_orientation_stands_upright(tmp_path: Path, scene: RGB, orientation: int, name: str) -> None:
    # As the standard puts it: the turn that undoes each orientation
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = Image.fromarray(scene)
    if orientation in undo:
        stored = stored.transpose(undo[orientation])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    options = {"lossless": True} if "webp" in name else {}
    photo = load_photo(write(tmp_path / name, stored, exif=exif, **options))
    assert_close(photo.rgb, scene, 1.5 if "jpg" in name else 0)
    assert photo.rgb.flags.c_contiguous


def test_alpha_is_turned_with_the_colours(tmp_path: Path, scene: RGB) -> None:
    alpha = np.zeros((HEIGHT, WIDTH), np.uint8)
    alpha[10:30, 20:90] = 200
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    lying = Image.fromarray(np.dstack([scene, alpha])).transpose(Image.Transpose.ROTATE_90)
    photo = load_photo(write(tmp_path / "a.png", lying, exif=exif))
    assert_close(photo.rgb, scene, 0)
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha, alpha)


def test_grey_and_grey_with_alpha(tmp_path: Path, scene: RGB) -> None:
    grey = scene[..., 0]
    expected = np.dstack([grey] * 3)
    assert_close(load_photo(write(tmp_path / "l.png", Image.fromarray(grey))).rgb, expected, 0)
    la = Image.merge("LA", [Image.fromarray(grey), Image.fromarray(scene[..., 1])])
    photo = load_photo(write(tmp_path / "la.png", la))
    assert_close(photo.rgb, expected, 0)
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha, scene[..., 1])


def test_black_and_white(tmp_path: Path, scene: RGB) -> None:
    bits = Image.fromarray(scene[..., 0] > 100)
    photo = load_photo(write(tmp_path / "bits.png", bits))
    assert set(np.unique(photo.rgb)) == {0, 255}
    np.testing.assert_array_equal(photo.rgb[..., 0] > 0, scene[..., 0] > 100)


def test_palette_with_and_without_a_transparent_colour(tmp_path: Path, scene: RGB) -> None:
    palette = Image.fromarray(scene).quantize(64)
    expected = np.asarray(palette.convert("RGB"))
    plain = load_photo(write(tmp_path / "p.png", palette))
    assert plain.alpha is None
    assert_close(plain.rgb, expected, 0)
    photo = load_photo(write(tmp_path / "t.png", palette, transparency=5))
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha == 0, np.asarray(palette) == 5)
    assert_close(photo.rgb, expected, 0)


def test_one_transparent_colour_of_an_rgb_picture(tmp_path: Path, scene: RGB) -> None:
    scene[:40] = (1, 2, 3)
    photo = load_photo(write(tmp_path / "t.png", Image.fromarray(scene), transparency=(1, 2, 3)))
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha == 0, (scene == (1, 2, 3)).all(axis=-1))


@pytest.mark.parametrize("name", ["grey.png", "grey.tif"])
def test_grey_of_16_bits_keeps_its_whole_range(tmp_path: Path, name: str) -> None:
    deep = np.linspace(0, 65535, WIDTH * HEIGHT).astype(np.uint16).reshape(HEIGHT, WIDTH)
    photo = load_photo(write(tmp_path / name, Image.fromarray(deep)))
    expected = np.rint(deep / 257).astype(np.uint8)
    assert_close(photo.rgb, np.dstack([expected] * 3), 0)


def test_grey_of_16_bits_in_the_other_byte_order(tmp_path: Path) -> None:
    deep = np.full((HEIGHT, WIDTH), 257 * 100, ">u2")
    image = Image.frombytes("I;16B", (WIDTH, HEIGHT), deep.tobytes())
    photo = load_photo(write(tmp_path / "big.tif", image))
    assert (photo.rgb == 100).all()


def colour_png_16(pixels: NDArray[np.uint16]) -> bytes:
    """Write a PNG of 16 bits a channel, which Pillow can read but not write: (H, W, 3 or 4)."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    height, width, channels = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    body = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize("channels", [3, 4])
def test_colour_of_16_bits(tmp_path: Path, scene: RGB, channels: int) -> None:
    deep = np.dstack([scene, scene[..., 0]])[..., :channels].astype(np.uint16) * 257
    path = tmp_path / "deep.png"
    path.write_bytes(colour_png_16(deep))
    photo = load_photo(path)
    assert_close(photo.rgb, scene, 0)
    assert (photo.alpha is not None) == (channels == 4)


def test_colour_tiff_of_16_bits(tmp_path: Path, scene: RGB) -> None:
    cv2 = pytest.importorskip("cv2")
    path = tmp_path / "deep.tif"
    cv2.imwrite(str(path), scene[..., ::-1].astype(np.uint16) * 257)
    assert_close(load_photo(path).rgb, scene, 0)


def test_floating_point_grey_within_0_to_1_reads_and_beyond_is_refused(tmp_path: Path) -> None:
    values = np.full((HEIGHT, WIDTH), 0.5, np.float32)
    assert (load_photo(write(tmp_path / "f.tif", Image.fromarray(values))).rgb == 128).all()
    with pytest.raises(UnusableInput, match="8 or 16 bits"):
        load_photo(write(tmp_path / "g.tif", Image.fromarray(values * 1000)))


@pytest.mark.parametrize("name", ["a.jpg", "a.tif"])
def test_cmyk(tmp_path: Path, scene: RGB, name: str) -> None:
    cmyk = Image.fromarray(scene).convert("CMYK")
    photo = load_photo(write(tmp_path / name, cmyk))
    assert_close(photo.rgb, np.asarray(cmyk.convert("RGB")), 2 if "jpg" in name else 0)


def test_lab(tmp_path: Path) -> None:
    # L = 50%, a = b = 0 is the grey 119 of sRGB
    lab = Image.fromarray(np.full((HEIGHT, WIDTH, 3), (128, 0, 0), np.uint8), "LAB")
    assert np.abs(load_photo(write(tmp_path / "lab.tif", lab)).rgb.astype(int) - 119).max() <= 2


def profile_with_red_and_blue_swapped() -> bytes:
    """The built-in sRGB profile under another name, with the places of two primaries exchanged."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, blue = data.index(b"rXYZ"), data.index(b"bXYZ")
    data[red : red + 4], data[blue : blue + 4] = b"bXYZ", b"rXYZ"
    return bytes(data).replace("sRGB".encode("utf-16-be"), "mine".encode("utf-16-be"))


def test_an_embedded_colour_profile_is_applied(tmp_path: Path, scene: RGB) -> None:
    image = Image.fromarray(scene)
    swapped = load_photo(write(tmp_path / "a.png", image, icc_profile=profile_with_red_and_blue_swapped()))
    assert_close(swapped.rgb, scene[..., ::-1], 2)  # profiles count in fewer digits than colours
    alpha = np.full((HEIGHT, WIDTH), 7, np.uint8)
    rgba = Image.fromarray(np.dstack([scene, alpha]))
    photo = load_photo(write(tmp_path / "b.png", rgba, icc_profile=profile_with_red_and_blue_swapped()))
    assert_close(photo.rgb, scene[..., ::-1], 2)
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha, alpha)


def test_a_profile_that_changes_nothing_or_does_not_fit_is_left_aside(tmp_path: Path, scene: RGB) -> None:
    image = Image.fromarray(scene)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    for profile in (srgb, lab, b"nonsense"):
        path = write(tmp_path / "a.png", image, icc_profile=profile)
        assert_close(load_photo(path).rgb, scene, 0)


def test_an_opaque_alpha_is_none(tmp_path: Path, scene: RGB) -> None:
    rgba = np.dstack([scene, np.full((HEIGHT, WIDTH), 255, np.uint8)])
    assert load_photo(write(tmp_path / "a.png", Image.fromarray(rgba))).alpha is None


@pytest.mark.parametrize(("name", "word"), [("a.png", "frames"), ("a.webp", "frames"), ("a.tif", "pages")])
def test_of_several_frames_the_first_is_read_with_a_warning(
    tmp_path: Path, scene: RGB, name: str, word: str
) -> None:
    first, second = Image.fromarray(scene), Image.fromarray(255 - scene)
    options = {"lossless": True} if "webp" in name else {}
    path = write(tmp_path / name, first, save_all=True, append_images=[second], **options)
    photo = load_photo(path)
    assert_close(photo.rgb, scene, 0)
    assert len(photo.warnings) == 1
    assert f"2 {word}" in photo.warnings[0]


def refusal(path: Path) -> str:
    with pytest.raises(UnusableInput) as caught:
        load_photo(path)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence


def test_what_is_no_picture_file_gets_a_sentence_each(tmp_path: Path) -> None:
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "notes.jpg").write_text("not a picture")
    assert "empty" in refusal(tmp_path / "empty.png")
    assert "not a picture" in refusal(tmp_path / "notes.jpg")
    assert "folder" in refusal(tmp_path)
    assert "no file" in refusal(tmp_path / "missing.png")


@pytest.mark.parametrize(
    ("start", "kind"),
    [
        (b"GIF89a", "GIF"),
        (b"\0\0\0\x20ftypheic", "HEIC"),
        (b"\0\0\0\x20ftypavif", "AVIF"),
        (b"%PDF-1.7", "PDF"),
        (b"\0\0\0\x20ftypisom", "video"),
    ],
)
def test_other_kinds_are_named(tmp_path: Path, start: bytes, kind: str) -> None:
    path = tmp_path / "photo.jpg"
    path.write_bytes(start + bytes(100))
    assert kind in refusal(path)


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif", "a.bmp", "a.webp"])
def test_a_truncated_file_is_refused(tmp_path: Path, name: str) -> None:
    noise = np.random.default_rng(1).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)
    path = write(tmp_path / name, Image.fromarray(noise))
    data = path.read_bytes()
    for part in (0.9, 0.5, 0.01):
        path.write_bytes(data[: max(1, int(len(data) * part))])
        refusal(path)


def test_flipped_bytes_never_raise_anything_else(tmp_path: Path, scene: RGB) -> None:
    """Damage everywhere: either a photo or a sentence."""
    random = np.random.default_rng(2)
    for name in ("a.png", "a.jpg", "a.tif", "a.bmp", "a.webp"):
        data = bytearray(write(tmp_path / name, Image.fromarray(scene)).read_bytes())
        for _ in range(60):
            damaged = bytearray(data)
            for place in random.integers(0, min(len(data), 400), 3):
                damaged[place] = random.integers(0, 256)
            (tmp_path / name).write_bytes(damaged)
            with contextlib.suppress(UnusableInput):
                assert load_photo(tmp_path / name).rgb.dtype == np.uint8


def test_an_unreadable_file_is_refused(tmp_path: Path, scene: RGB, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "a.png", Image.fromarray(scene))

    def deny(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", deny)
    assert "permission" in refusal(path)


def test_tiny_pictures_are_refused_with_their_size(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", Image.new("RGB", (63, 200)))
    assert "63 x 200" in refusal(path)


def png_header(width: int, height: int) -> bytes:
    """Start of a PNG that claims a size and holds no pixels."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + header + struct.pack(">I", zlib.crc32(b"IHDR" + header))
    return b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", 10) + b"IDAT" + bytes(14)


@pytest.mark.parametrize("size", [(10_001, 10_000), (20_000, 20_000), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_before_decoding(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_header(*size))
    sentence = refusal(path)
    assert f"{LARGEST_PIXELS // 10**6}" in sentence
    assert f"{size[0] * size[1] / 1e6:.1f} megapixels" in sentence


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_100_megapixels_are_held_twice_at_most(tmp_path: Path, kind: str) -> None:
    """Pillow's 4 bytes a pixel and the result's 3 make 0.7 GB; a further copy would be over 1 GB."""
    path = tmp_path / "large"
    ramp = Image.fromarray(np.arange(10_000, dtype=np.uint16).astype(np.uint8)[None])
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    ramp.resize((10_000, 10_000)).convert("RGB").save(path, kind, exif=exif, compress_level=1)
    program = (
        "import sys, pathlib\n"
        "from pifuhd_blender.engine.photo import load_photo\n"
        "status = pathlib.Path('/proc/self/status')\n"
        "peak = lambda: int(status.read_text().split('VmHWM:')[1].split()[0]) / 1e3\n"
        "before = peak()\n"
        "photo = load_photo(sys.argv[1])\n"
        "assert photo.rgb.shape == (10_000, 10_000, 3)\n"
        "print(peak() - before)\n"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], cwd=root, check=True, capture_output=True, text=True
    )
    assert float(done.stdout) < 850
