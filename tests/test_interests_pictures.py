"""Chapter 11: reading pictures, features by hand and learnt, drawings, stored results."""

from __future__ import annotations

import io
import json

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics.pairwise import cosine_similarity

from precmark.errors import InputError
from precmark.interests import clothing, pictures, sentences
from precmark.interests.hand_features import colour_histogram, edge_histogram
from precmark.interests.images import read_pictures, train_pictures
from precmark.interests.interest_tree import product_paths
from tests.recommend_cases import shop_items


def jpeg(colour, size=(40, 20), kind="JPEG", mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size, colour).save(buffer, kind)
    return buffer.getvalue()


def squares(n, seed=0, side=32):
    """Pictures of two kinds: light in the left half, or in the upper half."""
    rng = np.random.default_rng(seed)
    kinds = np.array(["left", "upper"], object)[np.arange(n) % 2]
    pixels = rng.integers(0, 90, (n, side, side, 3))
    pixels[kinds == "left", :, : side // 2] += 120
    pixels[kinds == "upper", : side // 2] += 120
    return pixels.astype(np.uint8), list(kinds)


# ---- reading


def test_pictures_are_fitted_on_white_and_the_unreadable_are_named(tmp_path):
    whole = jpeg((10, 200, 30))
    (tmp_path / "b.png").write_bytes(jpeg((0, 0, 0, 0), kind="PNG", mode="RGBA"))
    found = read_pictures(
        [("a", whole), ("b", tmp_path / "b.png"), ("text", b"no picture"), ("cut", whole[:200]),
         ("gone", tmp_path / "gone.jpg"), ("empty", b"")],
        side=16,
    )  # fmt: skip
    assert found.names == ("a", "b") and found.pixels.shape == (2, 16, 16, 3)
    # twice as wide as high: a quarter of white above and below
    assert (found.pixels[0, :4] == 255).all() and (found.pixels[0, -4:] == 255).all()
    assert abs(found.pixels[0, 8, 8].astype(int) - [10, 200, 30]).max() < 8
    assert (found.pixels[1] == 255).all()
    assert found.unreadable.name.tolist() == ["text", "cut", "gone", "empty"]
    assert found.unreadable.why.str.len().min() > 3


def test_where_nothing_can_be_read_all_are_named():
    with pytest.raises(InputError) as error:
        read_pictures([("one", b"x"), ("two", b"y")])
    assert "'one'" in str(error.value) and "'two'" in str(error.value)
    with pytest.raises(InputError, match="none given"):
        read_pictures([])
    with pytest.raises(InputError, match="side: 4"):
        read_pictures([("a", jpeg("red"))], side=4)


# ---- features by hand


def test_colours_are_counted_as_a_loop_counts_them():
    pixels = np.random.default_rng(0).integers(0, 256, (3, 9, 9, 3)).astype(np.uint8)
    expected = np.zeros((3, 64))
    for n, i, j in np.ndindex(3, 9, 9):
        r, g, b = (int(v) // 64 for v in pixels[n, i, j])
        expected[n, 16 * r + 4 * g + b] += 1 / 81
    assert colour_histogram(pixels) == pytest.approx(expected, abs=1e-6)


def test_edges_point_where_lightness_changes():
    pixels = np.zeros((3, 16, 16, 3), np.uint8)
    pixels[0, :, 8:] = 255
    pixels[1, 8:] = 255
    found = edge_histogram(pixels).reshape(3, 16, 8)
    assert found[0].sum(axis=0)[0] == pytest.approx(1.0)
    assert found[1].sum(axis=0)[4] == pytest.approx(1.0)
    assert (found[2] == 0).all()


def test_neighbours_of_the_same_kind_are_those_of_scikit_learn():
    rng = np.random.default_rng(0)
    kinds = rng.choice(list("abc"), 30)
    x = rng.normal(size=(30, 5))
    near = cosine_similarity(x)
    np.fill_diagonal(near, -2)
    hits = [(kinds[np.argsort(-row)[:4]] == kinds[i]).mean() for i, row in enumerate(near)]
    table = clothing.same_kind({"x": x}, kinds, k=4, draws=100).set_index("features")
    assert table.value["x"] == pytest.approx(np.mean(hits))
    chance = np.mean([(kinds == k).sum() - 1 for k in kinds]) / 29
    assert table.value["chance"] == pytest.approx(chance)


# ---- the network


@pytest.fixture(scope="module")
def trained():
    pixels, kinds = squares(96)
    return train_pictures(pixels, kinds, squares(24, seed=1), epochs=6, batch=16, width=8,
                          threads=1)  # fmt: skip


def test_the_network_learns_what_mirroring_leaves_and_is_repeatable(trained):
    shown, kinds = squares(40, seed=2)
    p = trained.probabilities(shown)
    assert p.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    right = np.array(trained.kinds, object)[p.argmax(axis=1)] == kinds
    assert right.mean() > 0.9
    assert trained.features(shown).shape == (40, 128)
    again = train_pictures(*squares(96), squares(24, seed=1), epochs=6, batch=16, width=8,
                           threads=1)  # fmt: skip
    assert (again.features(shown) == trained.features(shown)).all()
    other = train_pictures(*squares(96), squares(24, seed=1), epochs=1, batch=16, width=8,
                           seed=1, threads=1)  # fmt: skip
    assert (other.features(shown) != trained.features(shown)).any()


def test_the_kept_epoch_has_the_lowest_validation_loss(trained):
    pixels, kinds = squares(24, seed=1)
    p = trained.probabilities(pixels)
    index = [trained.kinds.index(k) for k in kinds]
    loss = -np.log(p[np.arange(24), index]).mean()
    assert loss == pytest.approx(trained.history.valid_loss.min(), rel=1e-4)


def test_all_that_is_wrong_with_training_pictures_is_said():
    pixels, kinds = squares(8)
    odd = (np.zeros((2, 30, 30, 3), np.uint8), ["left", "elsewhere"])
    with pytest.raises(InputError) as error:
        train_pictures(pixels, [*kinds[:-2], "alone"], odd)
    said = str(error.value)
    assert "8 pictures and 7 kinds" in said and "(30, 30, 3)" in said
    assert "'alone': one picture" in said and "'elsewhere'" in said


# ---- drawings


ITEMS = shop_items()
PATHS = product_paths(ITEMS)


def test_drawings_show_kind_and_colour_and_are_the_same_each_time():
    drawn = pictures.draw_products(ITEMS, PATHS)
    assert drawn.item_id.tolist() == list(PATHS.index)
    again = pictures.draw_products(ITEMS, PATHS.iloc[::-1]).set_index("item_id").pixels
    for row in drawn.itertuples():
        assert row.pixels.shape == (32, 32, 3)
        assert (again[row.item_id] == row.pixels).all()
    # tags name colours: "soft blue" is drawn bluer than "soft red"
    mean = {
        i: p.reshape(-1, 3).mean(axis=0) for i, p in zip(drawn.item_id, drawn.pixels, strict=True)
    }
    tags = ITEMS.set_index("item_id").tags
    blue = np.mean([m[2] - m[0] for i, m in mean.items() if "blue" in tags[i]])
    red = np.mean([m[2] - m[0] for i, m in mean.items() if "red" in tags[i]])
    assert blue > 10 > -10 > red


def test_features_of_drawings_are_one_row_a_product():
    drawn = pictures.draw_products(ITEMS, PATHS)
    model, features, right = pictures.learnt_from_drawings(drawn, epochs=2)
    assert features.index.tolist() == drawn.item_id.tolist()
    assert set(model.kinds) == set(PATHS.kind) and 0 <= right <= 1


# ---- photos


def photo_file(path, n=60):
    pixels, kinds = squares(n, side=40)
    rows = []
    for i, kind in enumerate(kinds):
        buffer = io.BytesIO()
        Image.fromarray(pixels[i]).save(buffer, "PNG")
        part = "test" if i % 5 == 0 else "validation" if i % 5 == 1 else "train"
        rows.append((part, kind, f"{i}.png", buffer.getvalue() if i != 7 else b"broken"))
    pd.DataFrame(rows, columns=list(clothing.COLUMNS)).to_parquet(path)
    return path


def test_photos_are_studied_stored_and_read_again(tmp_path):
    file = photo_file(tmp_path / "photos.parquet")
    made = clothing.study_photos(file, epochs=2, seeds=[0, 1], draws=100)
    assert made.card["photos"] == 59 and made.card["unreadable"] == 1
    assert made.photos[["train", "validation", "test"]].to_numpy().sum() == 59
    assert made.confusion.photos.sum() == made.photos.test.sum()
    right = made.confusion[made.confusion.kind == made.confusion.named].photos.sum()
    mine = made.accuracy[(made.accuracy.model == clothing.NETWORK) & (made.accuracy.seed == 0)]
    assert mine.value.item() == pytest.approx(right / made.photos.test.sum())
    value = made.accuracy.set_index(["model", "seed"]).value
    for row in made.differences.itertuples():
        expected = value[clothing.NETWORK, row.seed] - value[row.model, -1]
        assert row.difference == pytest.approx(expected, abs=1e-9)
    path = clothing.store_results(made, tmp_path / "stored.json")
    read = clothing.stored_results(path)
    for name in clothing.TABLES:
        ours, theirs = getattr(made, name), getattr(read, name)
        pd.testing.assert_frame_equal(ours.reset_index(drop=True), theirs, check_dtype=False)
    assert "59" in str(read.card) and "seeds" in sentences.on_photos(read)


def test_a_file_without_photos_and_results_without_a_file_are_refused(tmp_path):
    file = tmp_path / "photos.parquet"
    pd.DataFrame({"split": ["train"], "label": ["hat"], "file": ["a"]}).to_parquet(file)
    with pytest.raises(InputError) as error:
        clothing.study_photos(file)
    assert "no column jpeg" in str(error.value) and "test part" in str(error.value)
    (tmp_path / "bad.json").write_text(json.dumps({"card": {}}))
    for path in (tmp_path / "bad.json", tmp_path / "none.json"):
        with pytest.raises(InputError, match="no results of photos"):
            clothing.stored_results(path)


def test_the_stored_results_are_of_the_photos_at_hand(real_data):
    stored = clothing.stored_results()
    table = pd.read_parquet(real_data / clothing.FILE, columns=["split", "label"])
    counts = table.groupby(["label", "split"]).size()
    for row in stored.photos.itertuples():
        assert row.train == counts[row.kind, "train"] and row.test == counts[row.kind, "test"]
    assert stored.card["photos"] == len(table)
