# SPDX-License-Identifier: GPL-3.0-or-later
"""Bodies one behind the other: air between them where the net says so, and each of them whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from pifuhd_blender.engine.bodies import lay_bodies
from pifuhd_blender.engine.point_features import core_bounds
from pifuhd_blender.engine.sure_core import find_outline, sure_core, thick_enough

SIDE, CELLS = 512, 128
SHARE, MARGIN = 0.8, 0.01


def arm_before_trunk() -> tuple[Tensor, Tensor]:
    """Matte of a trunk, 0.8 wide, and depth maps: an arm, 0.2 wide, is before its middle."""
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., 80:432, 152:360] = 1
    depth = torch.tensor([0.0, -0.2])[:, None, None].expand(2, SIDE, SIDE).clone()
    depth[0, :, 232:280] = 0.2
    return depth[None], matte


def legs() -> tuple[Tensor, Tensor]:
    """Matte of a leg that covers another one, and depth maps that close about the middle between both."""
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., 80:432, 240:272] = 1
    front = torch.zeros(SIDE)
    front[240:272] = 0.2 * torch.tensor([0.2, 0.5, 0.8, *[1.0] * 26, 0.8, 0.5, 0.2])
    return torch.stack([front, -front])[None, :, None].expand(1, 2, SIDE, SIDE), matte


def seen(depth: Tensor, columns: slice, *ends: float) -> Tensor:
    """What a net says: a gap in some columns of its cells, rows 20 to 108.

    ``ends`` are w where it begins and ends, of the first gap and then of the last if that is another.
    """
    gaps = torch.empty(1, 5, CELLS, CELLS)
    gaps[:, 0] = -6
    gaps[:, 0, 20:108, columns] = 6
    return told(gaps, depth, slice(None), *ends)


def told(gaps: Tensor, depth: Tensor, columns: slice, *ends: float) -> Tensor:
    """The same gaps, with others' ends in some columns."""
    front, back = F.avg_pool2d(depth, SIDE // CELLS)[0, :, :, columns]
    (begin, end), (last_begin, last_end) = ends[:2], ends[-2:]
    thick = torch.stack([front - begin, end - back, front - last_begin, last_end - back])
    gaps[0, 1:, :, columns] = thick
    return gaps


def bounds(gaps: Tensor, depth: Tensor, matte: Tensor, column: int, w: list[float]) -> list[str]:
    """Of points in the middle row: "in" or "out" whatever the MLP says, or "open" to it."""
    return at(laid(gaps, depth, matte), column, w)


def laid(gaps: Tensor, depth: Tensor, matte: Tensor) -> Tensor:
    """Depth maps and the bodies behind them."""
    outline = find_outline(matte)
    depth = thick_enough(depth, outline)
    return torch.cat([depth, lay_bodies(gaps, depth, outline, SHARE, MARGIN)], 1)


def at(maps: Tensor, column: int, w: list[float]) -> list[str]:
    """What :func:`bounds` says, of bodies that are laid."""
    points = torch.tensor([[w]])
    low, high = core_bounds(maps[..., SIDE // 2, column, None].expand(-1, -1, len(w)), points)
    return [
        "out" if high <= 0 else "in" if low > 0 else "open" for low, high in zip(low[0], high[0], strict=True)
    ]


def test_without_a_gap_there_is_one_body() -> None:
    depth, matte = arm_before_trunk()
    outline = find_outline(matte)
    gaps = seen(depth, slice(0, 0), 0.1, 0.0)
    bodies = lay_bodies(gaps, depth, outline, SHARE, MARGIN)
    whole = sure_core(depth, outline, SHARE, MARGIN)
    assert torch.equal(bodies[:, :3], whole)
    assert torch.equal(bodies[:, 3:6], whole)
    assert (bodies[:, 7:] < 0).all()


def test_an_arm_before_a_trunk_is_one_body_and_the_trunk_another() -> None:
    depth, matte = arm_before_trunk()
    gaps = seen(depth, slice(58, 70), 0.12, 0.0)
    assert bounds(gaps, depth, matte, 256, [0.16, 0.06, -0.1, 0.3]) == ["in", "out", "in", "out"]
    assert bounds(gaps, depth, matte, 320, [0.06, -0.1]) == ["out", "in"]
    above = [0.16, 0.06, -0.1]
    gaps[:, 0, 50:80] = -6  # nothing is told of this stretch
    assert bounds(gaps, depth, matte, 256, above) == ["open", "in", "in"]


def test_no_sheet_hangs_where_the_depth_map_slopes_from_the_arm_to_the_trunk() -> None:
    depth, matte = arm_before_trunk()
    depth[0, 0, :, 280:288] = torch.linspace(0.18, 0.02, 8)  # as a net draws it
    gaps = seen(depth, slice(58, 70), 0.12, 0.0)
    maps = laid(gaps, depth, matte)
    for column in range(256, 296):
        assert at(maps, column, [0.06]) == ["out"], column
    none = seen(depth, slice(0, 0), 0.12, 0.0)
    assert bounds(none, depth, matte, 284, [0.06]) != ["out"]


def test_legs_close_each_about_its_own_middle_at_an_outline_that_they_share() -> None:
    """At the outline the depth maps of both lie between them, and the net is in doubt."""
    depth, matte = legs()
    gaps = seen(depth, slice(62, 66), 0.08, -0.08)
    maps = laid(gaps, depth, matte)
    for column in (241, 244, 256, 268, 270):
        assert at(maps, column, [0.0]) == ["out"], column
    middle, core, limit = (
        maps[0, :, SIDE // 2, 240:272]
        for maps in lay_bodies(gaps, depth, find_outline(matte), SHARE, MARGIN).unflatten(1, (3, 3)).unbind(2)
    )
    assert (middle[0] > 0.1).all()
    assert (middle[1] < -0.1).all()
    assert (limit[:2] >= core[:2]).all()
    assert (core[:2, 2:30] > 0).all()


def test_a_gap_that_would_take_all_of_a_limb_leaves_some() -> None:
    depth, matte = arm_before_trunk()
    found = bounds(seen(depth, slice(58, 70), 0.25, 0.0), depth, matte, 256, [0.19, 0.06, -0.1])
    assert found == ["in", "out", "in"]


def test_between_two_gaps_is_a_third_body() -> None:
    depth, matte = arm_before_trunk()
    gaps = seen(depth, slice(58, 70), 0.12, 0.06, -0.06, -0.12)
    expected = ["in", "out", "in", "out", "in"]
    assert bounds(gaps, depth, matte, 256, [0.16, 0.09, 0.0, -0.09, -0.16]) == expected


def test_between_gaps_at_different_depths_the_trunk_is_not_slit() -> None:
    """Where the gap behind an arm becomes that behind the trunk, what lies between their depths is trunk."""
    depth, matte = arm_before_trunk()
    gaps = seen(depth, slice(58, 70), 0.12, 0.06)
    gaps[:, 0, 20:108, 64:90] = 6
    gaps = told(gaps, depth, slice(64, None), -0.08, -0.14)
    maps = laid(gaps, depth, matte)
    for column in range(240, 272):
        assert at(maps, column, [-0.02]) != ["out"], column


def test_a_gap_ends_in_an_arc() -> None:
    depth, matte = legs()
    gaps = seen(depth, slice(62, 66), 0.08, -0.08)
    gaps[:, 0, :60] = -6
    bodies = lay_bodies(gaps, depth, find_outline(matte), SHARE, MARGIN)
    inner_end = (bodies[0, 0] - bodies[0, 1])[:, 256]  # of the near leg's core, along its middle
    assert inner_end[230] < 0  # one body with the other leg
    below = inner_end[241:256]
    assert below[0] < 0.07
    assert (below.diff() > -1e-6).all()
    assert inner_end[280] == pytest.approx(0.09, abs=0.01)


def test_a_leg_beside_one_that_is_farther_off_is_another_body() -> None:
    """No gap is told; front and back slope from the one to the other, the front first."""
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., 80:432, 216:296] = 1
    front, back = torch.full((SIDE,), 0.2), torch.full((SIDE,), 0.1)
    front[262:], back[258:] = -0.1, -0.2
    front[252:262], back[248:258] = torch.linspace(0.2, -0.1, 10), torch.linspace(0.1, -0.2, 10)
    depth = torch.stack([front, back])[None, :, None].expand(1, 2, SIDE, SIDE)
    gaps = seen(depth, slice(0, 0), 0.1, -0.1)
    maps = laid(gaps, depth, matte)
    for column in range(228, 284):
        assert at(maps, column, [0.0]) == ["out"], column
    assert bounds(gaps, depth, matte, 232, [0.15, -0.15]) == ["in", "out"]
    assert bounds(gaps, depth, matte, 280, [0.15, -0.15]) == ["out", "in"]


def test_a_belly_is_one_body_however_it_bulges() -> None:
    """Maps that grow apart and together again are nobody's limbs."""
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., 80:432, 180:330] = 1
    bulge = 0.05 + 0.25 * torch.sin(torch.linspace(0, torch.pi, 150))
    front = torch.full((SIDE,), 0.05)
    front[180:330] = bulge
    depth = torch.stack([front, -0.5 * front])[None, :, None].expand(1, 2, SIDE, SIDE)
    gaps = seen(depth, slice(0, 0), 0.0, 0.0)
    outline = find_outline(matte)
    bodies = lay_bodies(gaps, depth, outline, SHARE, MARGIN)
    assert torch.equal(bodies[:, :3], sure_core(depth, outline, SHARE, MARGIN))


@pytest.mark.parametrize(("sure", "opened"), [(1.8, True), (1.2, False)])
def test_a_gap_that_is_faint_all_over_is_a_doubt(sure: float, *, opened: bool) -> None:
    depth, matte = arm_before_trunk()
    gaps = seen(depth, slice(58, 70), 0.1, 0.0)
    gaps[:, 0, 20:108, 58:70] = 0.9  # cut where the same gap is surer elsewhere
    gaps[:, 0, 90:104, 58:70] = sure
    assert (bounds(gaps, depth, matte, SIDE // 2, [0.05]) == ["out"]) == opened


def legs_apart(alone: slice, slope: slice) -> tuple[Tensor, Tensor, Tensor]:
    """Matte, depth maps and gaps of a leg and another one behind it, which is seen beyond ``slope`` alone.

    Both are 0.1 thick and 0.2 apart; over ``slope`` the back map goes from the one's to the other's.
    """
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., 80:432, alone.start : 306] = 1
    back = torch.full((SIDE,), -0.2)
    back[: slope.start] = 0.1
    back[slope] = torch.linspace(0.1, -0.2, slope.stop - slope.start)
    depth = torch.stack([torch.full((SIDE,), 0.2), back])[None, :, None].expand(1, 2, SIDE, SIDE)
    gaps = torch.full((1, 5, CELLS, CELLS), 0.1)
    gaps[:, 0] = -6
    gaps[:, 0, 20:108, 56:76] = 6
    return depth, matte, gaps


def test_the_leg_behind_hangs_no_fin_into_the_gap_where_its_depth_map_slopes() -> None:
    depth, matte, gaps = legs_apart(slice(200, 224), slice(224, 240))
    first, between = bounds(gaps, depth, matte, 233, [0.15, 0.0])
    assert (first != "out", between) == (True, "out")
    assert bounds(gaps, depth, matte, 244, [0.15, 0.0, -0.15]) == ["in", "out", "in"]


def test_where_the_first_leg_alone_meets_the_outline_there_is_no_second_one() -> None:
    depth, matte, gaps = legs_apart(slice(214, 222), slice(222, 226))
    seen_alone = bounds(gaps, depth, matte, 216, [0.15, 0.0, -0.15])
    assert seen_alone[0] != "out"
    assert seen_alone[1:] == ["out", "out"]


def thickness(bodies: Tensor, body: int) -> Tensor:
    """Of a body's limits along the middle row, box units; 0 where it is not."""
    return 2 * bodies[0, 3 * body + 2, SIDE // 2].clamp(min=0)


def test_legs_are_round_towards_an_outline_that_they_share() -> None:
    """There were walls, and a blade where one depth map had closed into the gap before the other."""
    depth, matte = legs()
    depth = depth.clone()
    depth[0, 1, :, 241] = -0.07
    depth[0, 0, :, 241] = 0.14
    bodies = lay_bodies(seen(depth, slice(62, 66), 0.08, -0.08), depth, find_outline(matte), SHARE, MARGIN)
    for body in (0, 1):
        grown = thickness(bodies, body)[240:257].diff()
        assert (grown > -1e-3).all()
        assert (thickness(bodies, body)[241:271] > 0).all()
        assert thickness(bodies, body)[242] < 0.65 * thickness(bodies, body)[256]


def stride() -> tuple[Tensor, Tensor, Tensor]:
    """Legs 0.2 apart along the view, 0.1 thick: the near one from column 236 on, the far one up to 276.

    Depth maps slope from the one to the other over ten pixels, as a net draws them; it tells of a gap where
    the legs cover each other.
    """
    matte = torch.zeros(1, 1, SIDE, SIDE)
    matte[..., 80:432, 200:312] = 1
    front, back = torch.full((SIDE,), -0.1), torch.full((SIDE,), -0.2)
    front[241:], back[281:] = 0.2, 0.1
    front[231:241], back[271:281] = torch.linspace(-0.1, 0.2, 10), torch.linspace(-0.2, 0.1, 10)
    depth = torch.stack([front, back])[None, :, None].expand(1, 2, SIDE, SIDE)
    return depth, matte, seen(depth, slice(60, 68), 0.1, -0.1)


def test_legs_in_stride_end_round_where_each_ends_inside_the_other_ones_picture() -> None:
    depth, matte, gaps = stride()
    bodies = lay_bodies(gaps, depth, find_outline(matte), SHARE, MARGIN)
    near, far = (thickness(bodies, body) for body in (0, 1))
    middle = bodies[0, ::3, SIDE // 2]
    assert (middle[0, 250:262] > 0.1).all()
    assert (middle[1, 250:262] < -0.1).all()
    for leg in (near[236:256], far[256:276].flip(0)):
        assert (leg.diff() > -1e-3).all()
        assert leg[-1] == pytest.approx(0.12, abs=0.02)
        assert leg[4] < 0.85 * leg[-1]
    maps = laid(gaps, depth, matte)
    for column in range(200, 312):
        assert at(maps, column, [0.0]) == ["out"], column


def test_beside_an_arm_the_trunk_keeps_the_front_that_the_picture_shows() -> None:
    """It was cut down to where the gap behind the arm ended."""
    depth, matte = arm_before_trunk()
    gaps = seen(depth, slice(58, 70), 0.12, -0.06)
    maps = laid(gaps, depth, matte)
    for column in (224, 288):
        assert at(maps, column, [-0.02]) != ["out"], column
    assert bounds(gaps, depth, matte, 256, [-0.02]) == ["out"]


def test_a_gap_that_ends_closes_in_its_middle() -> None:
    depth, matte = legs()
    gaps = seen(depth, slice(62, 66), 0.1, 0.02)
    gaps[:, 0, :60] = -6
    bodies = lay_bodies(gaps, depth, find_outline(matte), SHARE, MARGIN)
    first, last = bodies[0, :3, 236:256, 256], bodies[0, 3:6, 236:256, 256]
    begin, end = first[0] - first[2], last[0] + last[2]
    closing = (first[0] > last[0]) & (begin > end)
    assert closing.any()
    assert ((begin + end) / 2)[closing] == pytest.approx(0.06, abs=0.005)


@pytest.mark.parametrize("nonsense", [(0.3, 0.3), (-0.2, 0.4), (0.4, -0.2)])
def test_at_the_edge_of_what_is_known_of_a_gap_the_trunk_is_not_slit(nonsense: tuple[float, float]) -> None:
    """Where there is no gap a net says anything of its ends, and pixels between two cells mixed that in."""
    depth, matte = arm_before_trunk()
    gaps = seen(depth, slice(58, 70), 0.12, 0.0)
    for columns in (slice(0, 58), slice(70, None)):
        gaps[0, 1:, :, columns] = torch.tensor(nonsense * 2)[:, None, None]
    maps = laid(gaps, depth, matte)
    for column in range(176, 336):
        assert at(maps, column, [-0.1, -0.03]) == ["in", "in"], column
