"""Images in folders: both layouts, sizes and colours, hostile archives, and a person's own sets in the live catalog."""

from __future__ import annotations

import io
import os
import stat
import struct
import warnings
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from engine.catalog import build_catalog
from engine.data import folders, sources
from engine.data.images import choose_all
from engine.data.sources import folders as folders_module
from engine.errors import BadData, UnknownName
from tests.engine.data.pictures import colour, encoded, grey, in_folder, zipped

PLAIN = {f"{c}/{n}.png": encoded(grey(10 * n + i)) for i, c in enumerate(("10", "2", "b")) for n in (10, 9, 1)}
PARTED = {f"{part}/{c}/{n}.png": encoded(grey(n)) for part, k in (("train", 3), ("test", 2)) for c in "xyz" for n in range(k)}


@pytest.fixture(params=[zipped, in_folder])
def make(request, tmp_path):
    """A zip, then a folder, of given files."""
    return lambda files: request.param(tmp_path / "set.zip", files)


def read(path, **how):
    tree = folders.survey(path)
    size = folders.choose_shape(tree, **how)
    return tree, folders.decode_images(tree, np.arange(len(tree.y)), size)


def test_folders_are_classes_in_order_of_their_names_as_text_or_numbers(make):
    tree, pixels = read(make(PLAIN))
    assert tree.classes == ("2", "10", "b") and not tree.test.any()
    assert tree.y.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert pixels.shape == (9, 1, 6, 4) and pixels.dtype == np.uint8 and pixels.flags.c_contiguous
    assert pixels[:, 0, 5, 3].tolist() == [11, 91, 101, 10, 90, 100, 12, 92, 102], "1, 9, 10 by value, and every pixel its own"
    assert (pixels[:, 0, 0, 0] == 255 - pixels[:, 0, 5, 3]).all()


@pytest.mark.parametrize("top", ["", "my set/", "a/b/"])
def test_train_and_test_folders_are_parts_whatever_lies_around_them(make, top):
    files = {top + name: raw for name, raw in PARTED.items()}
    tree, _ = read(make(files | {f"{top}README.md": b"hello", "__MACOSX/x/y/._1.png": b"", f"{top}train/x/.DS_Store": b""}))
    assert tree.classes == ("x", "y", "z")
    assert tree.counts(False) == (3, 3, 3) and tree.counts(True) == (2, 2, 2)
    assert tree.test.tolist() == [False] * 9 + [True] * 6


def test_a_train_folder_alone_is_no_part(make):
    tree, _ = read(make({n: raw for n, raw in PARTED.items() if n.startswith("train")}))
    assert len(tree.y) == 9 and not tree.test.any()


def test_classes_may_be_called_train_and_test(make):
    tree, _ = read(make({f"{c}/{i}.png": encoded(grey(i)) for c in ("train", "test") for i in range(2)}))
    assert tree.classes == ("test", "train") and not tree.test.any()


def test_of_two_classes_the_smaller_one_is_the_last(make):
    tree, _ = read(make({f"{c}/{i}.png": encoded(grey(i)) for c, k in (("a", 2), ("b", 3)) for i in range(k)}))
    assert tree.classes == ("b", "a")


def test_the_most_common_size_rules_and_others_are_resized(make):
    files = {f"{c}/{i}.png": encoded(grey(80)) for c in "ab" for i in range(3)} | {"a/0.png": encoded(grey(80, 12, 12))}
    _, pixels = read(make(files))
    assert pixels.shape == (6, 1, 6, 4) and abs(int(pixels[0, 0, 3, 2]) - 80) < 2


def test_large_images_become_64_pixels_and_keep_their_shape(make):
    files = {f"{c}/{i}.jpg": encoded(colour(200, 100, 50, height=300, width=600), "JPEG") for c in "ab" for i in range(2)}
    _, pixels = read(make(files))
    assert pixels.shape == (4, 3, 32, 64)
    assert np.abs(pixels.mean((0, 2, 3)) - (200, 100, 50)).max() < 3
    assert read(make(files), side=20)[1].shape == (4, 3, 10, 20)
    assert read(make(files), colour="grey")[1].shape == (4, 1, 32, 64)


def test_one_image_in_colour_makes_all_of_them_colour(make):
    files = dict(PLAIN) | {"b/10.png": encoded(colour(9, 8, 7))}
    tree, pixels = read(make(files))
    assert pixels.shape == (9, 3, 6, 4) and pixels[8, :, 2, 2].tolist() == [9, 8, 7]
    assert (pixels[:8, 0] == pixels[:8, 1]).all()
    assert read(make(files), colour="grey")[1].shape[1] == 1


def test_sixteen_bits_transparency_palettes_and_turned_photographs(make):
    deep = io.BytesIO()
    Image.fromarray((np.arange(24, dtype=np.uint16) * 2000).reshape(6, 4)).save(deep, "PNG")
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: rows are columns
    turned = np.zeros((4, 6, 3), np.uint8)
    turned[:, :3] = 250
    clear = io.BytesIO()
    Image.fromarray(np.dstack([colour(40, 50, 60), np.full((6, 4), 7, np.uint8)])).save(clear, "PNG")
    palette = io.BytesIO()
    Image.fromarray(colour(1, 2, 3)).quantize(4).save(palette, "PNG")
    tree, pixels = read(
        make(
            {
                "a/1.png": deep.getvalue(),
                "a/2.png": clear.getvalue(),
                "a/3.jpg": encoded(turned, "JPEG", exif=exif, quality=95),
                "b/1.png": palette.getvalue(),
                "b/2.png": encoded(colour(5, 5, 5)),
            }
        )
    )
    assert np.array_equal(pixels[0, 1].reshape(-1), np.arange(24) * 2000 // 256)
    assert pixels[1, :, 3, 3].tolist() == [40, 50, 60]
    assert pixels[2, 0, :2].min() > 200 and pixels[2, 0, 4:].max() < 50, "upper half white, as it was seen"
    assert pixels[3, :, 0, 0].tolist() == [1, 2, 3]


def test_only_chosen_rows_are_decoded(make):
    files = dict(PLAIN) | {"b/9.png": b"broken"}
    tree = folders.survey(make(files))
    size = (1, 6, 4)
    got = folders.build_copy(tree, size, "words").read(lambda y, test: np.flatnonzero(y < 2))
    assert got.y.tolist() == [0] * 3 + [1] * 3
    with pytest.raises(BadData, match="'b/9.png' is no readable PNG or JPEG image"):
        folders.build_copy(tree, size, "words").read(choose_all)


# ---- what is refused, with one sentence


def refused(path, sentence):
    with pytest.raises(BadData, match=sentence) as caught:
        read(path)
    text = str(caught.value)
    assert "\n" not in text and text.endswith(".") and len(text) < 400


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"2/notes.txt": b"x"}, "'2/notes.txt' is no PNG or JPEG image; take it out"),
        ({"2/9.png": b"not an image"}, "'2/9.png' is no readable PNG or JPEG image"),
        ({"2/9.png": b""}, "no readable PNG or JPEG image"),
        ({"2/9.png": encoded(grey(1))[:-30]}, "'2/9.png' is (damaged|no readable)"),
        ({"2/9.jpg": encoded(np.eye(50, dtype=np.uint8) * 255, "JPEG")[:-200]}, "'2/9.jpg' is damaged"),
        ({"2/9.png": encoded(grey(1), "GIF")}, "no readable PNG or JPEG image"),
        ({"2/9.gif": encoded(grey(1), "GIF")}, "'2/9.gif' is no PNG or JPEG image"),
        ({"9.png": encoded(grey(1))}, "'9.png' is not where an image belongs; it must hold CLASS/IMAGE"),
        ({"2/deep/9.png": encoded(grey(1))}, "'2/deep/9.png' is not where an image belongs"),
    ],
)
def test_files_that_are_no_images_or_lie_elsewhere(make, change, sentence):
    refused(make(PLAIN | change), sentence)


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({}, "holds no PNG or JPEG image"),
        ({"readme.txt": b"x"}, "holds no PNG or JPEG image"),
        ({"only/1.png": encoded(grey(1)), "only/2.png": encoded(grey(2))}, "holds one class, 'only'; at least two"),
        ({n: r for n, r in PARTED.items() if n.startswith("test")}, "holds a test part alone"),
        ({n: r for n, r in PARTED.items() if "test/z" not in n}, "class 'z' has no image in test/"),
        ({n: r for n, r in PARTED.items() if "train/z" not in n}, "class 'z' has no image in train/"),
    ],
)
def test_sets_that_are_none(tmp_path, files, sentence):
    refused(zipped(tmp_path / "set.zip", files), sentence)
    refused(in_folder(tmp_path / "set", files) if files else in_folder(tmp_path, {}), sentence)


def test_an_empty_class_folder_is_named(make):
    path = make(PLAIN)
    if path.is_dir():
        (path / "empty").mkdir()
    else:
        with zipfile.ZipFile(path, "a") as archive:
            archive.mkdir("empty")
    refused(path, "class folder 'empty/' holds no image")


@pytest.mark.parametrize(
    "name", ["../evil.png", "/etc/evil.png", "a/../../evil.png", "C:/evil.png", "a\\b.png", "a//b.png", "a/\n.png"]
)
def test_names_that_lead_outside_are_refused_and_nothing_is_written(tmp_path, name):
    path = zipped(tmp_path / "set.zip", PLAIN | {name: encoded(grey(1))})
    refused(path, "is not a path inside it|is no usable name")
    assert os.listdir(tmp_path) == ["set.zip"]


def test_links_are_refused(tmp_path):
    path = in_folder(tmp_path / "set", PLAIN)
    (path / "2" / "99.png").symlink_to("/etc/passwd")
    refused(path, "'2/99.png' is a link")
    (path / "2" / "99.png").unlink()
    (path / "more").symlink_to("/etc")
    refused(path, "'more' is a link")
    whole = in_folder(tmp_path / "other", PLAIN)
    (tmp_path / "link").symlink_to(whole)
    refused(tmp_path / "link", "is a link; put the zip or folder itself there")
    entry = zipfile.ZipInfo("2/99.png")
    entry.external_attr = (stat.S_IFLNK | 0o777) << 16
    archive = zipped(tmp_path / "set.zip", PLAIN)
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr(entry, "/etc/passwd")
    refused(archive, "'2/99.png' is a link")


def test_a_pipe_is_no_image(tmp_path):
    path = in_folder(tmp_path / "set", PLAIN)
    os.mkfifo(path / "2" / "99.png")
    refused(path, "'2/99.png' is no plain file")


def bomb(side: int) -> bytes:
    """A PNG that claims side x side pixels in a few bytes."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(100))) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8_000, 12_000, 60_000])
def test_an_image_of_too_many_pixels_is_not_decoded(make, side):
    refused(make(PLAIN | {"2/9.png": bomb(side)}), r"'2/9.png' has (more than )?[0-9,]+ pixels")


def test_a_zip_that_unpacks_to_too_much_is_refused_unread(tmp_path, monkeypatch):
    large = bytes(folders.MAX_FILE + 1)
    refused(zipped(tmp_path / "one.zip", PLAIN | {"2/9.png": large}), "'2/9.png' has 32 MiB; at most 32 are read")
    monkeypatch.setattr(folders, "MAX_TOTAL", 500)
    refused(zipped(tmp_path / "all.zip", PLAIN), "GiB of files; at most")
    monkeypatch.setattr(folders, "MAX_FILES", 5)
    refused(zipped(tmp_path / "many.zip", PLAIN), "holds 9 files; at most 5 are read")


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path):
    path = zipped(tmp_path / "set.zip", PLAIN | {"2/9.png": bytes(1 << 20)})
    raw = path.read_bytes()
    path.write_bytes(raw.replace(struct.pack("<I", 1 << 20), struct.pack("<I", 100)))
    refused(path, "'2/9.png' cannot be read|'2/9.png' is no readable")


def test_broken_encrypted_and_double_zips(tmp_path):
    path = zipped(tmp_path / "set.zip", PLAIN)
    raw = path.read_bytes()
    (tmp_path / "half.zip").write_bytes(raw[: len(raw) // 2])
    refused(tmp_path / "half.zip", "cannot be read as a zip")
    (tmp_path / "text.zip").write_bytes(b"hello")
    refused(tmp_path / "text.zip", "cannot be read as a zip")
    at = raw.index(b"PK\x01\x02")
    (tmp_path / "locked.zip").write_bytes(raw[: at + 8] + b"\x01" + raw[at + 9 :])
    refused(tmp_path / "locked.zip", "is encrypted")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("2/9.png", b"again")
    refused(path, "holds '2/9.png' twice")


def test_too_many_pixels_in_all_ask_for_fewer_images(tmp_path, monkeypatch):
    monkeypatch.setattr(folders, "MAX_ARRAY", 100)
    refused(zipped(tmp_path / "set.zip", PLAIN), "ask for fewer images per class or a smaller side")


# ---- a person's own sets


@pytest.fixture
def mine(bare):
    """An `images` folder with two sets and one broken zip."""
    in_folder(bare / "images" / "cats & dogs", {f"{c}/{i}.png": encoded(grey(i)) for c in ("cat", "dog") for i in range(12)})
    zipped(bare / "images" / "parts.zip", PARTED)
    zipped(bare / "images" / "bad.zip", {"only/1.png": encoded(grey(1))})
    (bare / "images" / "notes.txt").write_text("no set")
    return bare / "images"


def test_own_sets_are_in_the_live_catalog_alone(mine):
    static = sources.datasets()
    assert sources.datasets(found=True)[: len(static)] == static
    own = sources.datasets(found=True)[len(static) :]
    assert [e["name"] for e in own] == ["images/cats & dogs", "images/parts"]
    assert not any(e["name"].startswith("images/") for e in static)
    cats, parts = own
    assert (cats["rows"], cats["counts"], cats["test_counts"], cats["shape"]) == (24, [12, 12], None, [1, 6, 4])
    assert (parts["rows"], parts["counts"], parts["test_counts"]) == (15, [3, 3, 3], [2, 2, 2])
    assert [f["name"] for f in cats["fields"]] == ["per_class", "side", "colour"]
    assert "test_per_class" in [f["name"] for f in parts["fields"]]
    assert sources.available("images/parts") and all(set(e) == set(static[0]) for e in own)
    live = build_catalog(live=True)
    assert [e["name"] for e in live["datasets"] if e["name"].startswith("images/")] == ["images/cats & dogs", "images/parts"]
    assert len(live["unreadable"]) == 1 and "bad.zip holds one class, 'only'" in live["unreadable"][0]


def test_own_sets_are_read_chosen_from_and_kept(mine):
    d = sources.load("images/cats & dogs")
    assert (d.kind, d.classes, d.counts.tolist(), d.official_test) == ("images", ("cat", "dog"), [12, 12], None)
    assert "cats & dogs, read at 4 x 6 pixels, grey" in d.copy
    again = sources.load("images/cats & dogs")
    assert np.array_equal(d.images, again.images) and np.array_equal(d.y, again.y)
    few = sources.load("images/cats & dogs", {"per_class": 5, "side": 3, "colour": "colour"})
    assert few.images.shape == (10, 3, 3, 2) and few.counts.tolist() == [5, 5]
    p = sources.load("images/parts", {"per_class": 2, "test_per_class": 1})
    assert p.official_test.tolist() == [6, 7, 8] and p.counts.tolist() == [3, 3, 3]


def test_a_fingerprint_changes_with_the_content(mine):
    def prints():
        return {e["name"]: e["fingerprint"] for e in sources.datasets(found=True) if e["name"].startswith("images/")}

    before = prints()
    assert prints() == before
    (mine / "cats & dogs" / "cat" / "0.png").write_bytes(encoded(grey(77)))
    zipped(mine / "parts.zip", PARTED | {"train/x/9.png": encoded(grey(9))})
    after = prints()
    assert all(before[name] != after[name] for name in before)
    assert sources.load("images/cats & dogs").images[0, 0, 3, 3] == 77, "and what was kept is not served"
    assert sources.load("images/parts").counts.tolist() == [6, 5, 5]


def test_a_set_that_is_broken_or_gone_says_so(mine):
    with pytest.raises(BadData, match="bad.zip holds one class"):
        sources.load("images/bad")
    with pytest.raises(UnknownName, match="no dataset is called 'images/gone'; there are: .*images/parts"):
        sources.load("images/gone")


def test_a_zip_beside_a_folder_of_its_name_keeps_its_ending(mine):
    in_folder(mine / "parts", PARTED)
    assert {"images/parts", "images/parts.zip"} <= set(folders_module.find_sets())
    assert folders_module.find_sets()["images/parts"].is_dir()
