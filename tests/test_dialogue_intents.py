"""The shopping intent set holds what it promises, and a faulty set is refused with every fault."""

import csv
import re
import tomllib
from collections import Counter, defaultdict
from itertools import combinations, pairwise
from statistics import median

import numpy as np
import pandas as pd
import pytest

from precmark.dialogue import intents
from precmark.errors import InputError
from precmark.simulate import catalogue

COLOURS = ("black", "white", "red", "blue", "green", "grey", "brown", "pink", "yellow", "purple")
SIZES = ("xs", "s", "m", "l", "xl", "xxl", "small", "medium", "large")
WORDS = {"one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "ten": "10"}


@pytest.fixture(scope="module")
def rows():
    with intents.DEFAULT.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def shopping():
    return intents.load()


def words(text):
    return re.findall(r"[^\W_]+", text.lower())


def learnt(rows):
    by_intent = defaultdict(list)
    for row in rows:
        if row["part"] == "train":
            by_intent[row["intent"]].append(row["text"])
    return by_intent


def nearest(texts, others):
    """Of each text, the largest share of words that it has in common with one of `others`."""
    from sklearn.feature_extraction.text import CountVectorizer

    counter = CountVectorizer(analyzer=lambda text: set(words(text)))
    there = counter.fit_transform([*texts, *others]).astype(float)
    mine, rest = there[: len(texts)], there[len(texts) :]
    common = (mine @ rest.T).toarray()
    every = np.add.outer(mine.sum(axis=1).A1, rest.sum(axis=1).A1) - common
    return (common / every).max(axis=1)


def test_the_set_is_as_large_as_promised(rows):
    count = Counter((row["intent"], row["part"]) for row in rows)
    described = tomllib.loads(intents.DEFAULT.with_suffix(".toml").read_text(encoding="utf-8"))
    assert len(described["intents"]) >= 25
    for name in described["intents"]:
        assert count[name, "train"] >= 62
        assert count[name, "paraphrase"] >= 12
    assert count["out_of_scope", "out_of_scope"] >= 220
    assert {part for _, part in count} == {"train", "paraphrase", "out_of_scope"}


def test_it_is_loaded_row_by_row(rows, shopping):
    for part in ("train", "paraphrase", "out_of_scope"):
        there = [(r["intent"], r["text"]) for r in rows if r["part"] == part]
        frame = getattr(shopping, part)
        assert list(frame.itertuples(index=False, name=None)) == there
    assert list(shopping.meanings) == list(shopping.leads_to)
    assert set(shopping.leads_to.values()) == {"recommend", "order", "answer", "refuse"}
    assert shopping.card["licence"] == "CC BY 4.0"


def test_intents_stand_together_in_the_order_of_their_descriptions(rows, shopping):
    order = list(dict.fromkeys(row["intent"] for row in rows))
    assert order == [*shopping.meanings, "out_of_scope"]
    changes = sum(a["intent"] != b["intent"] for a, b in pairwise(rows))
    assert changes == len(order) - 1


def test_no_utterance_is_doubled_in_the_whole_set(rows):
    seen = Counter(" ".join(words(row["text"])) for row in rows)
    assert [text for text, n in seen.items() if n > 1] == []


def test_no_utterance_is_another_one_with_a_slot_swapped(rows):
    nouns = {noun for pair in catalogue._NOUNS for noun in pair}
    nouns |= {name.replace("_", " ") for name in catalogue.NAMES}
    brands = {brand.lower() for brand in catalogue._BRANDS}
    slots = sorted({*nouns, *brands, *COLOURS, *SIZES}, key=len, reverse=True)
    slot = re.compile(r"\b(?:" + "|".join(map(re.escape, slots)) + r")s?\b")
    for name, texts in learnt(rows).items():
        masked = Counter()
        for text in texts:
            plain = " ".join(WORDS.get(word, word) for word in words(text))
            masked[re.sub(r"\d+", "#", slot.sub("*", plain))] += 1
        swapped = sum(n - 1 for form, n in masked.items() if "*" in form or "#" in form)
        assert swapped <= 3, (name, [form for form, n in masked.items() if n > 1])


def test_no_frame_with_one_open_place_is_filled_again_and_again(rows):
    for name, texts in learnt(rows).items():
        frames = defaultdict(set)
        for text in texts:
            said = words(text)
            for i in range(len(said) if len(said) >= 3 else 0):
                frames[(*said[:i], "*", *said[i + 1 :])].add(text)
        assert max(map(len, frames.values())) <= 3, name
        alike = set().union(*(group for group in frames.values() if len(group) > 1))
        assert len(alike) <= 0.2 * len(texts), name


def test_openings_and_lengths_vary_in_every_intent(rows):
    for name, texts in learnt(rows).items():
        openings = Counter(tuple(words(text)[:2]) for text in texts)
        assert len(openings) >= 0.4 * len(texts), name
        assert max(openings.values()) <= 0.15 * len(texts), (name, openings.most_common(1))
        length = sorted(len(words(text)) for text in texts)
        tenth, ninth = length[len(length) // 10], length[-len(length) // 10]
        assert ninth >= tenth + 4, name


def test_ways_of_typing_vary(rows):
    texts = [row["text"] for row in rows if row["part"] == "train"]
    lower = sum(text == text.lower() for text in texts) / len(texts)
    questions = sum(text.rstrip().endswith("?") for text in texts) / len(texts)
    assert 0.2 < lower < 0.8
    assert 0.05 < questions < 0.5


def test_paraphrases_are_written_apart_from_the_training_utterances(rows):
    text = {part: [r["text"] for r in rows if r["part"] == part] for part in intents.PARTS}
    shares = nearest(text["paraphrase"], text["train"])
    assert shares.max() < 0.8
    assert shares.mean() < 0.4


def test_the_first_paraphrases_of_an_intent_are_further_from_training_than_the_last(rows):
    train = [row["text"] for row in rows if row["part"] == "train"]
    own = defaultdict(list)
    for row in rows:
        if row["part"] == "paraphrase":
            own[row["intent"]].append(row["text"])
    assert {len(texts) for texts in own.values()} == {20}
    hard = nearest([text for texts in own.values() for text in texts[:13]], train)
    plain = nearest([text for texts in own.values() for text in texts[13:]], train)
    assert hard.mean() + 0.1 < plain.mean()


def test_what_is_out_of_scope_is_not_said_in_any_intent(rows):
    outside = [row["text"] for row in rows if row["part"] == "out_of_scope"]
    inside = [row["text"] for row in rows if row["part"] != "out_of_scope"]
    shares = nearest(outside, inside)
    assert shares.max() < 0.8, outside[shares.argmax()]


def test_intents_can_be_told_apart_though_not_perfectly(shopping):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    model = make_pipeline(TfidfVectorizer(ngram_range=(1, 2)), LinearSVC())
    train, odd = shopping.train[::2], shopping.train[1::2]
    right = model.fit(train.text, train.intent).predict(odd.text) == odd.intent
    assert 0.5 < right.mean() < 0.98
    assert right.groupby(odd.intent).mean().min() > 0.25


def test_variety_counts_as_a_loop_does(rows, shopping):
    table = intents.variety(shopping).set_index("intent")
    for name in [*shopping.meanings, "out_of_scope"]:
        mine = [row for row in rows if row["intent"] == name]
        said = [words(row["text"]) for row in mine]
        row = table.loc[name]
        assert row.train == sum(r["part"] == "train" for r in mine)
        assert row.train + row.paraphrases == len(mine)
        assert row.openings == len({tuple(s[:2]) for s in said})
        lengths = [len(s) for s in said]
        assert (row.shortest, row["median"], row.longest) == (
            min(lengths),
            median(lengths),
            max(lengths),
        )


TOML = """
[card]
title = "Two intents"

[intents.find]
meaning = "Wants to see a product."
leads_to = "recommend"

[intents.stop]
meaning = "Wants to cancel."
leads_to = "order"
"""
GOOD = [
    ("find", "train", "soap, please"),
    ("find", "paraphrase", "got any soap"),
    ("stop", "train", "cancel"),
    ("stop", "paraphrase", "call it off"),
    ("out_of_scope", "out_of_scope", "will it rain"),
]


def write(folder, rows=GOOD, toml=TOML, header=("intent", "part", "text")):
    path = folder / "mine.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([header, *rows])
    path.with_suffix(".toml").write_text(toml, encoding="utf-8")
    return path


def refused(path):
    with pytest.raises(InputError) as error:
        intents.load(path)
    return [str(problem) for problem in error.value.problems]


def test_a_set_of_ones_own_is_read(tmp_path):
    mine = intents.load(write(tmp_path))
    assert mine.train.to_dict("list") == {
        "intent": ["find", "stop"],
        "text": ["soap, please", "cancel"],
    }
    assert mine.out_of_scope.text.tolist() == ["will it rain"]
    assert mine.meanings == {"find": "Wants to see a product.", "stop": "Wants to cancel."}
    assert mine.leads_to == {"find": "recommend", "stop": "order"}
    assert mine.card == {"title": "Two intents"}


def test_columns_in_another_order_and_a_byte_order_mark_are_read(tmp_path):
    path = write(
        tmp_path,
        [(text, intent, part) for intent, part, text in GOOD],
        header=("text", "intent", "part"),
    )
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    pd.testing.assert_frame_equal(
        intents.load(path).paraphrase,
        pd.DataFrame({"intent": ["find", "stop"], "text": ["got any soap", "call it off"]}),
        check_dtype=False,
    )


def test_every_fault_is_told_with_its_line(tmp_path):
    faulty = [
        ("find", "train", "soap\nplease"),
        ("fnd", "train", "towels"),
        ("stop", "tain", "no more"),
        ("stop", "train", "?!"),
        ("stop", "out_of_scope", "halt it"),
        ("find", "train", "CANCEL!"),
        ("find", "train", "x" * 301),
    ]
    faults = refused(write(tmp_path, GOOD + faulty))
    expected = {
        7: "control characters",
        9: "Did you mean 'find'?",
        10: "no part 'tain'",
        11: "holds no word",
        12: "goes with itself only",
        13: "stands already in line 4",
        14: "301 characters",
    }
    by_line = dict(re.match(r"mine.csv line (\d+): (.*)", f, re.S).groups() for f in faults)
    by_line = {int(line): text for line, text in by_line.items() if int(line) != 7}
    assert {7, *by_line} == set(expected)
    for line, text in by_line.items():
        assert expected[line] in text
    line_7 = [f for f in faults if f.startswith("mine.csv line 7:")]
    assert any("control characters" in f for f in line_7)
    assert any("stands already in line 2" in f for f in line_7)


@pytest.mark.parametrize("gone", range(len(GOOD)))
def test_a_part_that_lacks_is_named(tmp_path, gone):
    (fault,) = refused(write(tmp_path, GOOD[:gone] + GOOD[gone + 1 :]))
    assert repr(GOOD[gone][1]) in fault


def test_files_that_cannot_be_read_are_told(tmp_path):
    faults = refused(tmp_path / "none.csv")
    assert len(faults) == 2 and all("missing" in fault for fault in faults)
    path = write(tmp_path)
    path.write_bytes(b"intent,part,text\nfind,train,caf\xe9\n")
    assert "UTF-8" in refused(path)[0]
    path.write_text('intent,part,text\nfind,train,"open\n')
    assert "quotes" in refused(path)[0]
    path.write_text("intent,text\nfind,soap\n")
    assert "no column part" in refused(path)[0]
    path.write_text("intent,part,text\nfind,train,a, b\n")
    assert "line 2: 4 values for 3 columns" in refused(path)[0]
    path.write_text("")
    assert "intent,part,text" in refused(path)[0]
    path.write_text("intent,part,text\n")
    assert refused(path) == ["mine.csv holds no utterance. Write one row for each."]


def test_a_faulty_description_is_told(tmp_path):
    toml = TOML.replace('leads_to = "order"', 'leads_to = "nowhere"')
    (fault,) = refused(write(tmp_path, toml=toml))
    assert "intents.stop: leads_to must be one of recommend, order, answer, refuse" in fault
    toml = TOML.replace('meaning = "Wants to cancel."', 'meaning = " "')
    (fault,) = refused(write(tmp_path, toml=toml))
    assert "intents.stop: no meaning" in fault
    (fault,) = refused(write(tmp_path, toml="[card]\n"))
    assert "names no intent" in fault
    (fault,) = refused(write(tmp_path, toml="[intents"))
    assert "cannot be read" in fault


def test_a_flood_of_faults_is_cut_with_its_number(tmp_path):
    faults = refused(write(tmp_path, GOOD + [("find", "none", f"word {i}") for i in range(150)]))
    assert len(faults) == 101
    assert faults[-1] == "And 50 more of the kind."


def test_spelling_alone_makes_no_other_utterance():
    forms = ["Where's my ORDER?", "where s  my order", "WHERE’S my order!!", "where's my order…"]
    for a, b in combinations(forms, 2):
        assert intents.normalised(a) == intents.normalised(b)
    assert intents.normalised("ｈｅｌｌｏ") == "hello"
    assert intents.normalised("?!") == ""
