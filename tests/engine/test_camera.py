"""The picture: a plane fitted once on real training rows, what is drawn in it, and when."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from engine.data.dataset import Rows, Task
from engine.events import GRID, UNIT, Event, Frame, Scene
from engine.models.mlp import MLP
from engine.training import camera as scene
from engine.training.camera import Camera
from engine.training.loop import new_net
from engine.training.plane import fit_plane
from tests.engine.tasks import blobs, task

WIDE = blobs((101, 31), features=7)


def rows_of(on: Task, r: int) -> tuple[np.ndarray, np.ndarray]:
    mask = on.train.mask[r]
    return on.train.x[r][mask].numpy(), on.train.y[r][mask].numpy()


def shots(camera: Camera, net: MLP, *, planned: int, phase: str = "training", stop: int | None = None) -> Iterator[Event]:
    """Everything that is pictured while a phase takes its steps."""
    score = torch.full((len(net.flat),), torch.nan)
    for taken in range(planned if stop is None else stop):
        yield from camera.record_frame(net, phase, 1 + taken // 10, taken, score, taken=taken, planned=planned)


def frames_of(events: list[Event], r: int = 0) -> list[Frame]:
    return [e for e in events if isinstance(e, Frame) and e.replicate == r]


def synthetic(on: Task, count: int) -> Rows:
    """`count` rows per replicate, all of class 1, at the first rows' places."""
    x = on.train.x[:, :1].expand(-1, count, -1).clone() + torch.arange(count).view(1, -1, 1) * 0.01
    return Rows(x, torch.ones(x.shape[:2], dtype=torch.int64), torch.ones(x.shape[:2], dtype=torch.bool))


# ---- the plane


def test_two_features_are_drawn_as_they_are() -> None:
    x = np.random.default_rng(0).normal(size=(50, 2)) * [3, 0.1] + 5
    plane = fit_plane(x)
    assert plane.exact and np.array_equal(plane.project(x), x) and np.array_equal(plane.lift(x), x)


def test_one_feature_lies_on_a_line() -> None:
    x = np.random.default_rng(0).normal(size=(50, 1))
    plane = fit_plane(x)
    assert plane.exact and np.array_equal(plane.project(x), np.column_stack([x[:, 0], np.zeros(50)]))
    assert np.array_equal(plane.lift(plane.project(x)), x)


@pytest.mark.parametrize(("n", "features"), [(60, 3), (60, 7), (4, 9), (2, 5)])
def test_more_features_are_drawn_on_the_first_two_principal_components(n: int, features: int) -> None:
    rng = np.random.default_rng(features)
    x = rng.normal(size=(n, features)) @ rng.normal(size=(features, features)) + rng.normal(size=features)
    plane, pca = fit_plane(x), PCA(2).fit(x)
    assert not plane.exact
    turned = np.sign((plane.axes * pca.components_).sum(1, keepdims=True))
    assert (
        np.allclose(plane.axes, turned * pca.components_)
        if n > 2
        else np.allclose(plane.axes[0], turned[0] * pca.components_[0])
    )
    assert np.allclose(plane.share, pca.explained_variance_ratio_, atol=1e-12)
    assert np.allclose(plane.origin, x.mean(0)) and np.allclose(plane.axes @ plane.axes.T, np.eye(2))
    largest = plane.axes[np.arange(2), np.abs(plane.axes).argmax(1)]
    assert (largest > 0).all(), "an axis points to where its largest loading grows, so that pictures do not flip"
    u = rng.normal(size=(9, 2))
    assert np.allclose(plane.project(plane.lift(u)), u)


def test_rows_without_any_variance_have_a_plane() -> None:
    plane = fit_plane(np.ones((5, 4)))
    assert plane.share == (0, 0) and np.allclose(plane.project(np.ones((1, 4))), 0)


def test_the_plane_is_each_replicate_s_own_and_is_fitted_on_training_rows_alone() -> None:
    on = task(WIDE)
    camera = Camera(on)
    for r, view in enumerate(camera.views):
        assert np.allclose(view.plane.origin, rows_of(on, r)[0].mean(0))
    blind = replace(on, valid=replace(on.valid, x=on.valid.x * 9 + 1), test=replace(on.test, x=on.test.x * 9 + 1))
    for one, other in zip(camera.scenes, Camera(blind).scenes, strict=True):
        assert np.array_equal(one.points, other.points) and one.centre == other.centre and one.half == other.half


# ---- what stands still


def test_a_scene_says_what_its_plane_holds() -> None:
    on = task(WIDE)
    first = Camera(on).scenes[0]
    x, _ = rows_of(on, 0)
    share = PCA(2).fit(x).explained_variance_ratio_
    assert first.share == pytest.approx(share.sum()) and not first.exact
    assert first.axes == (f"PC 1 ({share[0]:.0%})", f"PC 2 ({share[1]:.0%})") and first.classes == ("class 0", "class 1")
    flat = Camera(task(blobs(features=2))).scenes[0]
    assert (flat.share, flat.exact, flat.axes) == (1.0, True, ("f0", "f1"))
    assert Camera(task(blobs(features=1))).scenes[0].axes == ("f0", "")


@pytest.mark.parametrize("features", [2, 3])
@pytest.mark.parametrize("counts", [(101, 21), (61, 34, 23)])
def test_every_minority_row_is_inside_the_box(counts: tuple[int, ...], features: int) -> None:
    data = blobs(counts, features)
    data.numeric[-1] += 40  # a minority row far away from all others
    on = task(data, ratio=None, seeds=4)
    found = 0
    for r, shown in enumerate(Camera(on).scenes):
        x, y = rows_of(on, r)
        assert len(shown.points) == len(x) and np.array_equal(shown.labels, y)
        assert int(np.abs(shown.points[shown.labels != 0].astype(int)).max()) <= UNIT
        found += int(x.max() > 5)
        u = fit_plane(x).project(x)
        expected = (u - shown.centre) / shown.half * UNIT
        assert np.abs(shown.points - expected).max() <= 0.5
        inside = (np.abs(shown.points.astype(int)) <= UNIT).all(1)
        assert inside.mean() > 0.95
    assert found, "the case must have the far row in some training part"


def test_places_are_kept_up_to_four_boxes_away() -> None:
    view = Camera(task(blobs(features=2))).views[0]
    at = [view.centre + view.half * k for k in (0, 1, -1, 3.9, 4, 4.1, -1e9)]
    places = view.to_int16(np.array([*at, [np.nan, np.inf], [-np.inf, 0]]))
    assert places.dtype == np.int16 and places[:3].tolist() == [[0, 0], [UNIT, UNIT], [-UNIT, -UNIT]]
    assert places[3].tolist() == [round(3.9 * UNIT)] * 2
    assert places[4:6].tolist() == [[4 * UNIT] * 2] * 2 and places[6].tolist() == [-4 * UNIT] * 2
    assert places[7].tolist() == [4 * UNIT] * 2 and places[8][0] == -4 * UNIT


def test_many_rows_are_thinned_and_both_sides_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scene, "MOST_REAL", 60)
    monkeypatch.setattr(scene, "MOST_MINORITY", 40)
    for counts, minority in {(300, 30): 18, (300, 200): 40, (200, 200): 40}.items():
        on = task(blobs(counts), ratio=None, folds=1, seeds=1)
        shown = Camera(on).scenes[0]
        assert len(shown.points) == 60 and int((shown.labels == 1).sum()) == minority
        assert np.array_equal(shown.points, Camera(on).scenes[0].points)
    on = task(blobs((80, 70)), ratio=None, folds=1, seeds=1)  # 48 and 42: the majority leaves more room than 40
    monkeypatch.setattr(scene, "MOST_REAL", 90)
    assert len(Camera(on).scenes[0].points) == 90


# ---- frames


def test_the_surface_is_the_net_s_probability_of_a_minority_class() -> None:
    for on in (task(WIDE), task(blobs((61, 34, 23)))):
        net, camera = new_net(on, (6,)), Camera(on)
        net.flat[:, :-3] *= 4  # from nearly a half everywhere to a surface
        shown = frames_of(list(camera.record_final_frame(net, "x", 1, 0, torch.zeros(6))), 3)[0]
        view = camera.views[3]
        at = np.linspace(-1, 1, GRID)
        for row, column in ((0, 0), (0, GRID - 1), (GRID - 1, 0), (17, 5)):
            place = view.plane.lift(view.centre + view.half * [[at[column], at[row]]])
            p = net(torch.from_numpy(place).expand(6, 1, -1)).softmax(-1)[3, 0]
            assert abs(float(1 - p[0]) * 255 - int(shown.surface[row, column])) <= 0.5 + 1e-6
        assert np.ptp(shown.surface.astype(int)) > 40


def test_frames_follow_the_points() -> None:
    on = task(WIDE, seeds=1)
    points, net, camera = synthetic(on, 5), new_net(on, (4,)), Camera(on)
    now = points.x.clone()
    camera.track_points(points, lambda: now)
    points.x[:] += 9  # the caller's own rows may go on
    start = list(camera.record_final_frame(net, "x", 1, 0, torch.zeros(3)))
    assert [e.replicate for e in start[:3] if isinstance(e, Scene)] == [0, 1, 2]
    now[:, :, 0] += torch.tensor([0.0, 0.001, 1.5, 100.0, float("nan")])
    later = frames_of(list(camera.record_final_frame(net, "x", 2, 9, torch.tensor([0.5, 0.6, 0.7]))), 1)[0]
    first, opened = frames_of(start, 1)[0], start[1]
    assert isinstance(opened, Scene) and np.array_equal(first.points, opened.parents) and first.moved.tolist() == [0] * 5
    assert opened.parent_labels.tolist() == [1] * 5
    assert later.moved.tolist() == [0, 1, 1500, 65535, 65535]
    assert np.array_equal(later.points[:1], first.points[:1]) and not np.array_equal(later.points[2], first.points[2])
    x = now[1, 2].numpy()
    assert (
        np.abs(
            later.points[2] - (camera.views[1].plane.project(x) - camera.views[1].centre) / camera.views[1].half * UNIT
        ).max()
        <= 0.5
    )
    assert (later.phase, later.epoch, later.step, later.score) == ("x", 2, 9, pytest.approx(0.6))


def test_of_many_points_the_same_300_are_drawn() -> None:
    on = task(WIDE, seeds=1)
    points, net, camera = synthetic(on, 700), new_net(on, (4,)), Camera(on)
    now = points.x.clone()
    camera.track_points(points, lambda: now)
    one = frames_of(list(camera.record_final_frame(net, "x", 1, 0, torch.zeros(3))), 2)[0]
    again = frames_of(list(camera.record_final_frame(net, "x", 1, 0, torch.zeros(3))), 2)[0]
    assert one.points.shape == (300, 2) and one.moved.shape == (300,)
    assert np.array_equal(one.points, again.points) and np.array_equal(one.points, camera.scenes[2].parents)
    assert len(np.unique(camera.drawn[2])) == 300 and camera.drawn[2].max() > 600
    assert not np.array_equal(camera.drawn[1], camera.drawn[2])


def test_unsafe_points_are_told_live_and_read_no_test_row_otherwise() -> None:
    on = task(WIDE, seeds=1)
    points, net, camera = synthetic(on, 5), new_net(on, (4,)), Camera(on)
    hidden = on.test.x[1][on.test.mask[1] & (on.test.y[1] == on.largest)]
    real = on.train.x[1][on.train.mask[1] & (on.train.y[1] == 1)]
    now = torch.stack([real[0], hidden[0], 0.9 * hidden[1] + 0.1 * real[0], hidden[2], real[1]]).expand(3, 5, -1).clone()
    camera.track_points(points, lambda: now)

    def shoot() -> np.ndarray:
        return frames_of(list(camera.record_final_frame(net, "x", 1, 0, torch.zeros(3))), 1)[0].unsafe

    found = shoot()
    brute = [bool((hidden - x).norm(dim=1).min() < (real - x).norm(dim=1).min()) for x in now[1]]
    assert found.tolist() == brute and not brute[0] and brute[1] and not brute[4]
    now[:, 1] = real[2]
    assert shoot()[1] == False and found[1]  # noqa: E712
    now[:, 0] = torch.nan
    assert not shoot()[0]
    alone = replace(on, test=replace(on.test, mask=torch.zeros_like(on.test.mask)))
    other = Camera(alone)
    other.track_points(points, lambda: now)
    one = frames_of(list(other.record_final_frame(net, "x", 1, 0, torch.zeros(3))), 1)[0]
    mine = frames_of(list(camera.record_final_frame(net, "x", 1, 0, torch.zeros(3))), 1)[0]
    assert not len(one.unsafe) and np.array_equal(one.points, mine.points) and np.array_equal(one.surface, mine.surface)


def test_unsafe_features_are_compared_with_features() -> None:
    on = task(WIDE, seeds=1)
    net, camera = new_net(on, (4,)), Camera(on)
    camera.show_features(net)
    hidden = net.embed(on.test.x)[0][on.test.mask[0] & (on.test.y[0] == on.largest)]
    x = hidden[:3].expand(3, 3, -1).clone()
    camera.track_points(Rows(x, torch.ones(3, 3, dtype=torch.int64), torch.ones(3, 3, dtype=torch.bool)), lambda: x)
    real = net.embed(on.train.x)[0][on.train.mask[0] & (on.train.y[0] == 1)]
    frame = frames_of(list(camera.record_final_frame(net, "x", 1, 0, torch.zeros(3))))[0]
    assert frame.unsafe.tolist() == [bool((real - one).norm(dim=1).min() > 0) for one in x[0]]


def test_a_broken_net_has_a_picture() -> None:
    on = task(WIDE, seeds=1)
    net = new_net(on, (4,))
    net.flat[:] = torch.nan
    assert frames_of(list(Camera(on).record_final_frame(net, "x", 1, 0, torch.zeros(3))))[0].surface.max() == 0


# ---- when


@pytest.mark.parametrize("planned", [100, 1000, 7919])
def test_about_a_hundred_frames_most_of_them_early(planned: int) -> None:
    on = task(WIDE, seeds=1)
    net, camera = new_net(on, (4,)), Camera(on, 100)
    shown = [f.step for f in frames_of(list(shots(camera, net, planned=planned)))]
    due = sorted({int(np.ceil(planned * (i / 100) ** 2)) for i in range(100)})
    assert shown == due and (len(shown) == 100 or planned < 10_000)
    if planned == 7919:
        assert len(shown) > 95 and sum(step < planned / 4 for step in shown) >= 0.45 * len(shown)


def test_a_share_of_the_frames_for_each_phase() -> None:
    on = task(WIDE, seeds=1)
    net, camera = new_net(on, (4,)), Camera(on, 80)
    camera.share = 0.25
    first = frames_of(list(shots(camera, net, planned=4000)))
    camera.share = 0.75
    second = frames_of(list(shots(camera, net, planned=40000, phase="points")))
    assert (len(first), len(second)) == (20, 60) and second[0].phase == "points" and second[0].step == 0


def test_a_phase_of_few_steps_has_a_frame_of_each() -> None:
    on = task(WIDE, seeds=1)
    assert [f.step for f in frames_of(list(shots(Camera(on, 100), new_net(on, (4,)), planned=5)))] == [0, 1, 2, 3, 4]


def test_the_first_replicate_is_pictured_more_often() -> None:
    on = task(WIDE)
    events = list(shots(Camera(on, 40), new_net(on, (4,)), planned=5000))
    counts = [len(frames_of(events, r)) for r in range(6)]
    assert counts == [40] + [10] * 5
    assert [e.replicate for e in events if isinstance(e, Scene)] == list(range(6))
    later = task(WIDE, numbers=[3, 4])  # of a later stack nobody looks at the first as closely
    events = list(shots(Camera(later, 40), new_net(later, (4,)), planned=5000))
    assert [len(frames_of(events, r)) for r in (3, 4)] == [10, 10]


def test_scenes_are_sent_again_when_the_points_come_to_be() -> None:
    on = task(WIDE, seeds=1)
    net, camera = new_net(on, (4,)), Camera(on, 10)
    before = list(shots(camera, net, planned=100))
    points = synthetic(on, 3)
    camera.track_points(points, lambda: points.x)
    after = list(shots(camera, net, planned=100, phase="points"))
    for events, count in ((before, 0), (after, 3)):
        scenes = [e for e in events if isinstance(e, Scene)]
        assert [s.replicate for s in scenes] == [0, 1, 2] and all(len(s.parents) == count for s in scenes)
        assert isinstance(events[0], Scene) and all(len(f.points) == count for f in frames_of(events))


def test_no_frames_no_work() -> None:
    on = task(WIDE, seeds=1)
    net, camera = new_net(on, (4,)), Camera(on, 0)
    camera.track_points(synthetic(on, 3), lambda: on.train.x[:, :3])
    assert list(shots(camera, net, planned=50)) == [] == list(camera.record_final_frame(net, "x", 1, 0, torch.zeros(3)))
    assert camera.views == camera.scenes == []


# ---- frames by distance moved


def walks(camera: Camera, net: MLP, points: Rows, speed: float, planned: int = 800) -> list[Frame]:
    """The first replicate's frames of a phase in whose first half every point walks `speed` sd a step."""
    places = [points.x]
    camera.track_points(points, lambda: places[0])
    sent = []
    score = torch.zeros(len(net.flat))
    for taken in range(planned):
        sent += frames_of(list(camera.record_frame(net, "points", 1, taken, score, taken=taken, planned=planned)))
        if taken < planned // 2:
            places[0] = places[0] + torch.tensor([speed] + [0.0] * (points.x.shape[2] - 1))
    return [*sent, *frames_of(list(camera.record_final_frame(net, "chosen", 1, planned, score)))]


@pytest.mark.parametrize("speed", [0.005, 0.05, 1.0])
def test_frames_stand_closer_where_the_points_move(speed: float) -> None:
    on = task(WIDE, seeds=1)
    net, camera = new_net(on, (4,)), Camera(on, 40)
    sent = walks(camera, net, synthetic(on, 9), speed)
    film = camera.thin(sent)
    assert len(film) <= 41 < len(sent) and len(sent) <= 40 * 8
    assert film[0] is sent[0] and film[-1] is sent[-1] and film[-1].phase == "chosen"
    steps = np.array([frame.step for frame in film[:-1]])
    assert np.diff(steps).max() <= 2 * 800 * 2 / 40, "and none lies far from the one before it"
    moving = np.diff(steps[steps <= 400])
    assert len(moving) >= 12 and moving.max() <= 4 * np.median(moving)
    assert (steps <= 400).sum() > (steps > 400).sum()


def test_points_that_stand_get_no_frames_of_their_own() -> None:
    on = task(WIDE, seeds=1)
    net = new_net(on, (4,))
    still = walks(Camera(on, 40), net, synthetic(on, 9), 0.0)
    plain = frames_of(list(shots(Camera(on, 40), net, planned=800)))
    assert [frame.step for frame in still[:-1]] == [frame.step for frame in plain]
    camera = Camera(on, 40)
    assert camera.thin(plain) == plain and camera.delta == scene.DELTA
    by_steps = walks(Camera(on, 40, by_distance=False), net, synthetic(on, 9), 1.0)
    assert [frame.step for frame in by_steps] == [frame.step for frame in still]


def test_points_that_diverge_end_no_film() -> None:
    on = task(WIDE, seeds=1)
    net, points = new_net(on, (4,)), synthetic(on, 9)
    assert len(walks(Camera(on, 20), net, points, float("nan"))) == 21
