# SPDX-License-Identifier: GPL-3.0-or-later
"""The ablation: rows see and learn what they should, are trained once, and end in a table."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import default_collate

from pifuhd_blender.engine.model_config import JointConfig, UNetConfig
from pifuhd_blender.training.ablation import TASKS, Ablation, AblationError
from pifuhd_blender.training.ablation_model import RowModel
from pifuhd_blender.training.ablation_report import (
    BEGIN,
    END,
    ReportError,
    fill_page,
    read_results,
    write_report,
)
from pifuhd_blender.training.ablation_rows import PAPER_ROWS, ROWS, SIZES, row_config
from pifuhd_blender.training.dataset import SubjectSet
from pifuhd_blender.training.side_by_side import train_side_by_side
from pifuhd_blender.training.task import Batch, Task
from pifuhd_blender.training.trainer import Trainer
from tests.training.figures import write_ball_shard

_FINE = UNetConfig(widths=(8, 16), stem=2, blocks=(1, 1), features=16, context=0)
TINY = replace(
    SIZES["small"],
    name="tiny",
    coarse_filter=UNetConfig(widths=(16, 32), stem=4, blocks=(1, 1), features=16, context=0),
    fine_filter=_FINE,
    plain_fine_filter=_FINE,
    coarse_pixels=64,
    fine_pixels=128,
    crop=64,
    whole_width=8,
    coarse_batch=2,
    fine_batch=2,
    points=200,
    warm_up=2,
)
NETS = JointConfig(input_size=64, widths=(8, 8, 8, 8, 8), blocks=(1, 1, 1, 1, 1), detail=4)


def pictures() -> list[torch.Tensor]:
    torch.manual_seed(1)
    matte = torch.ones(1, 1, 128, 128)
    return [torch.rand(1, 3, 128, 128), matte, torch.rand(1, 3, 128, 128), torch.rand(1, 3, 128, 128)]


def answer(model: RowModel, given: list[torch.Tensor], points: torch.Tensor) -> torch.Tensor:
    coarse = model.coarse_features(*given)
    fine = model.fine_features(*given) if model.config.fine else None
    with torch.no_grad():
        return model.query(points, coarse, fine)


def ablation(tmp_path: Path) -> Ablation:
    for name, held_out in (("data", False), ("held-out", True)):
        (tmp_path / name).mkdir(exist_ok=True)
        write_ball_shard(tmp_path / name, 0, held_out=held_out)
    return Ablation(
        tmp_path / "out", tmp_path / "data", tmp_path / "held-out", TINY, 0, tmp_path / "none.safetensors",
        torch.device("cpu"), people=1, resolution=32, samples=8, log_every=1,
    )  # fmt: skip


def test_the_paper_has_five_rows_each_without_and_with_normals() -> None:
    assert PAPER_ROWS[:5] == ("fine", "fine-global", "coarse", "end-to-end", "in-turn")
    assert PAPER_ROWS[5:] == tuple(f"{name}-normals" for name in PAPER_ROWS[:5])
    assert all(sum(step.share for step in row.steps) == 1 for row in ROWS.values())


def test_the_papers_size_has_the_mlps_of_its_rows() -> None:
    """Section 7 of the method's description, and the released sizes."""
    configs = {name: row_config(ROWS[name], SIZES["paper"], NETS) for name in PAPER_ROWS}
    assert configs["fine"].coarse.mlp == (17, 512, 256, 128, 1)
    assert configs["fine-global"].coarse.mlp[0] == 529
    assert configs["coarse"].coarse.mlp == (257, 1024, 512, 256, 128, 1)
    fine = configs["in-turn-normals"].fine
    assert fine is not None
    assert fine.mlp == (272, 512, 256, 128, 1)
    assert configs["coarse"].fine is None


@pytest.mark.parametrize("name", PAPER_ROWS)
def test_a_row_looks_at_normals_if_it_should(name: str) -> None:
    torch.manual_seed(0)
    model = RowModel(ROWS[name], TINY, NETS).eval()
    points = torch.rand(1, 3, 50) - 0.5
    given = pictures()
    other = [*given[:2], torch.rand_like(given[2]), given[3]]
    same = torch.equal(answer(model, given, points), answer(model, other, points))
    assert same == (ROWS[name].normals == "none")


@pytest.mark.parametrize("name", ["fine", "fine-global"])
def test_the_global_feature_alone_tells_of_what_is_far_away(name: str) -> None:
    torch.manual_seed(0)
    model = RowModel(ROWS[name], TINY).eval()
    points = torch.rand(1, 3, 50) * 0.1 + 0.8  # the last corner
    given = pictures()
    other = [given[0].clone(), *given[1:]]
    other[0][..., :16, :16] = 0  # the first one
    same = torch.equal(answer(model, given, points), answer(model, other, points))
    assert same == (name == "fine")


def labelled_batch(tmp_path: Path, run: Ablation, task: Task) -> Batch:
    subjects = SubjectSet(tmp_path / "data")
    rng = np.random.default_rng(0)
    size = run.size.fine_pixels
    samples = [subjects.sample(0, view, size, rng, task.points) for view in (0, 1)]
    return default_collate(samples)


@pytest.mark.parametrize("name", ["end-to-end", "in-turn"])
def test_the_fine_loss_reaches_the_coarse_level_end_to_end_only(name: str, tmp_path: Path) -> None:
    run = ablation(tmp_path)
    row, step = ROWS[name], ROWS[name].steps[-1]
    model = RowModel(row, TINY)
    task = TASKS[step.name](run.run_config(row, step), tmp_path, model)
    batch = labelled_batch(tmp_path, run, task)
    task.loss(batch)[0].backward()
    of = {part: [p.grad is not None for p in model.part(part).parameters()] for part in ("coarse", "fine")}
    assert all(of["fine"])
    assert all(of["coarse"]) == (name == "end-to-end")
    assert any(of["coarse"]) == (name == "end-to-end")
    assert {id(p) for p in task.module.parameters()} >= {id(p) for p in model.part("fine").parameters()}


def test_normals_are_none_true_or_predicted(tmp_path: Path) -> None:
    run = ablation(tmp_path)
    seen: dict[str, torch.Tensor] = {}
    for suffix in ("", "-normals", "-true-normals"):
        row = ROWS[f"fine{suffix}"]
        task = TASKS["alone"](run.run_config(row, row.steps[0]), tmp_path, RowModel(row, TINY, NETS))
        batch = labelled_batch(tmp_path, run, task)
        seen[row.normals] = task._normals(batch)[0]
    assert seen["none"].abs().max() == 0
    assert torch.equal(seen["true"], batch["front"])
    assert not torch.equal(seen["predicted"], seen["true"])


@pytest.mark.slow
def test_rows_are_trained_measured_and_not_done_again(tmp_path: Path) -> None:
    run = ablation(tmp_path)
    run.prepare()
    for name in ("in-turn", "fine-global", "coarse-true-normals"):
        result = run.row(ROWS[name])
        assert result["figures"]["all"]["views"] == 2
        assert sum(result["samples"].values()) == 8
    files = sorted((tmp_path / "out").rglob("*.pt"))
    assert len(files) == 8  # two of each of four steps
    before = [file.stat().st_mtime_ns for file in files]
    assert run.row(ROWS["in-turn"]) == read_results(tmp_path / "out")[1]  # in its place, after fine-global
    assert [file.stat().st_mtime_ns for file in files] == before
    again = replace(run, resolution=64).row(ROWS["in-turn"])  # measured anew, not trained
    assert again["resolution"] == 64
    assert [file.stat().st_mtime_ns for file in files] == before
    longer = replace(run, samples=16).row(ROWS["in-turn"])  # trained on
    assert longer["samples"] == {"coarse": 8, "fine": 8}

    text = write_report(tmp_path / "out")
    assert "both levels, in turn" in text
    assert "same terms" in text  # a row of them was trained longer
    assert len((tmp_path / "out" / "table.csv").read_text(encoding="utf-8").splitlines()) == 4
    assert (tmp_path / "out" / "curves.png").stat().st_size > 0
    assert (tmp_path / "out" / "in-turn" / "fine" / "curves.csv").is_file()
    with pytest.raises(AblationError, match="another size, seed"):
        replace(run, seed=1).prepare()


def test_rows_side_by_side_learn_from_the_same_batches_and_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = replace(ablation(tmp_path), side_by_side=True)
    run.prepare()
    seen: dict[str, list[float]] = {}
    learn = Trainer.learn

    def watch(trainer: Trainer, batch: Batch) -> None:
        seen.setdefault(trainer.folder.parent.name, []).append(float(batch["image"].sum()))
        learn(trainer, batch)

    monkeypatch.setattr(Trainer, "learn", watch)
    rows = [ROWS[name] for name in ("coarse", "in-turn", "end-to-end-true-normals")]
    train_side_by_side(run, rows)
    assert len(seen["coarse"]) == 4  # batches of two
    assert len(set(seen["coarse"])) == 4
    assert seen["in-turn"] == seen["coarse"] == seen["end-to-end-true-normals"]
    assert run.trainer(rows[1], rows[1].steps[1]).samples == 4  # the other half is the coarse level's
    seen.clear()
    train_side_by_side(replace(run, samples=12), rows)  # nothing but the rest
    assert len(seen["coarse"]) == 2
    with pytest.raises(AblationError, match="budget in samples"):
        replace(run, samples=0).prepare()


def test_a_batch_may_bring_its_predicted_normals(tmp_path: Path) -> None:
    run = ablation(tmp_path)
    row = ROWS["fine-normals"]
    task = TASKS["alone"](run.run_config(row, row.steps[0]), tmp_path, RowModel(row, TINY, NETS))
    task.config = replace(task.config, normal_tilt=0.0)
    batch = labelled_batch(tmp_path, run, task)
    batch["predicted"] = torch.rand(2, 6, 128, 128)
    assert torch.equal(torch.cat(task._normals(batch), 1), batch["predicted"])


def test_an_ablation_without_people_is_refused(tmp_path: Path) -> None:
    run = replace(ablation(tmp_path), data=tmp_path / "nobody")
    with pytest.raises(AblationError, match="no people"):
        run.prepare()


def test_the_documentation_has_a_place_for_the_table(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_bytes((Path(__file__).parents[2] / "docs" / "ABLATION.md").read_bytes())
    old = page.read_text(encoding="utf-8")
    fill_page(page, "| new |")
    new = page.read_text(encoding="utf-8")
    assert new.partition(BEGIN)[2].partition(END)[0].strip() == "| new |"  # and nothing of the table before
    assert new.partition(BEGIN)[0] == old.partition(BEGIN)[0]
    assert new.partition(END)[2] == old.partition(END)[2]


def test_a_table_takes_its_place_in_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"above\n{BEGIN}\nold\n{END}\nbelow\n", encoding="utf-8")
    fill_page(page, "new")
    fill_page(page, "new")
    assert page.read_text(encoding="utf-8") == f"above\n{BEGIN}\n\nnew\n\n{END}\nbelow\n"
    page.write_text("no marks", encoding="utf-8")
    with pytest.raises(ReportError, match="no place"):
        fill_page(page, "new")
    with pytest.raises(ReportError, match="can't be read"):
        fill_page(tmp_path / "none.md", "new")


def finished(out: Path, name: str, normals: Path | None) -> None:
    """A finished row's files, as far as a report looks at them."""
    folder = out / name
    (folder / "coarse").mkdir(parents=True)
    run = {"normals": str(normals) if normals else ""}
    (folder / "coarse" / "run.json").write_text(json.dumps(run), encoding="utf-8")
    measures = ("p2s", "chamfer", "normal_consistency", "f_score", "iou", "front_degrees", "back_degrees")
    figures = {f"{measure}_{kind}": 0.5 for measure in measures for kind in ("mean", "median")}
    result = {
        "row": name, "budget": "8 samples", "people": 1, "resolution": 32, "samples": {"coarse": 8},
        "minutes": 0.1, "subjects": 1, "device": "cpu", "figures": {"all": {"views": 2.0} | figures},
    }  # fmt: skip
    (folder / "result.json").write_text(json.dumps(result), encoding="utf-8")


def test_a_report_names_the_normal_weights_that_rows_looked_through(tmp_path: Path) -> None:
    weights, out = tmp_path / "nets.safetensors", tmp_path / "out"
    weights.write_bytes(b"weights")
    out.mkdir()
    terms = {"size": {"name": "tiny"}, "seed": 0}
    (out / "terms.json").write_text(json.dumps(terms), encoding="utf-8")
    finished(out, "coarse", None)
    assert "predicted" not in write_report(out)
    finished(out, "coarse-normals", weights)

    digest = hashlib.sha256(b"weights").hexdigest()[:12]
    assert f"normals are those of nets.safetensors (sha256 {digest}); they are off by" in write_report(out)
    assert digest in (out / "table.md").read_text(encoding="utf-8")

    # No other file's digest is given for the one that was looked through
    later = (out / "coarse-normals" / "result.json").stat().st_mtime + 10
    os.utime(weights, (later, later))
    assert "the file is a later one now" in write_report(out)
    weights.unlink()
    assert "`nets.safetensors` (which is gone since)" in write_report(out)


def test_a_damaged_result_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "coarse").mkdir()
    (tmp_path / "coarse" / "result.json").write_text("{", encoding="utf-8")
    with pytest.raises(ReportError, match=r"result\.json is no JSON"):
        write_report(tmp_path)
