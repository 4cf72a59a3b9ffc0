"""The dialogue: reading sentences, refusing, slots, conversations, against independent readings."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from precmark.dialogue import quality, readings, scope, study
from precmark.dialogue.chat import lines, read_answers, talk
from precmark.dialogue.classifiers import Nearest, NetworkClassifier, TfIdfLogistic, softmax
from precmark.dialogue.conversation import ACTIONS, Conversation
from precmark.dialogue.networks import NETWORKS, build, windows
from precmark.dialogue.script import BAD_LINES, script
from precmark.dialogue.shelf import Shelf
from precmark.dialogue.slots import Lexicon, Slots, price_range
from precmark.dialogue.text import MOST_CHARACTERS, PAD, UNKNOWN, Vocabulary, clean, words
from precmark.errors import InputError
from tests.conftest import cli
from tests.recommend_cases import shop_events, shop_items

KINDS = {
    "find": ["show me {}", "do you have {}", "i want {}", "looking for {}", "any {} here"],
    "track": ["where is my {}", "when does the {} arrive", "track the {}", "my {} is late"],
    "leave": ["bye now {}", "thanks a lot {}", "see you {}", "good night {}"],
}
THINGS = ["towels", "snacks", "soap", "parcel", "order", "box", "friend", "shop", "tea", "cups"]
LEADS = {"find": "recommend", "track": "order", "leave": "answer"}
OUTSIDE = [
    "capital of france",
    "two plus two",
    "football result",
    "weather tomorrow",
    "sing a song",
]


def frame() -> pd.DataFrame:
    rows = [(k, t.format(w)) for k, ts in KINDS.items() for t in ts for w in THINGS]
    return pd.DataFrame(rows, columns=["intent", "text"])


@pytest.fixture(scope="module")
def found() -> study.Utterances:
    rest, test = study.parts_of(frame(), 0.2, 1)
    train, validation = study.parts_of(rest, 0.25, 2)
    return study.Utterances("tiny", "Tiny", train, validation, test, tuple(OUTSIDE[:3]),
                            tuple(OUTSIDE[3:]), validation)  # fmt: skip


@pytest.fixture(scope="module")
def fits(found):
    return study.fit_all(found, ("most-common", "nearest", "logistic"))


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    return Shelf(shop_events(), shop_items(), currency="EUR")


@pytest.fixture
def start(fits, shelf):
    return {"understanding": fits[2].understanding, "shelf": shelf, "leads_to": LEADS}


# ---- sentences as numbers


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300))
def test_any_text_becomes_printable_words_and_a_row_of_numbers(text):
    shown = clean(text)
    assert len(shown) <= MOST_CHARACTERS and shown.isprintable() and "  " not in shown
    row = Vocabulary.of(["show me towels"]).encode([text], 8)[0]
    assert row[0] != PAD and (np.diff((row != PAD).astype(int)) <= 0).all()
    assert clean(shown) == shown


def test_unknown_words_share_one_number_and_known_ones_do_not():
    vocabulary = Vocabulary.of(["a b b", "b c"])
    assert vocabulary.number == {"b": 2, "a": 3, "c": 4}
    assert vocabulary.encode(["b x c", ""], 4).tolist() == [[2, UNKNOWN, 4, PAD],
                                                            [UNKNOWN, PAD, PAD, PAD]]  # fmt: skip
    assert words("naïve «ok»") == ["naïve", "«", "ok", "»"]


# ---- networks


@pytest.mark.parametrize("name", list(NETWORKS))
def test_padding_and_company_do_not_change_a_networks_answer(name):
    import torch

    torch.manual_seed(0)
    network = build(name, 20, 4).eval()
    alone = torch.tensor([[3, 4, 5]])
    padded = torch.tensor([[3, 4, 5, PAD, PAD, PAD], [6, 7, 8, 9, 10, 11]])
    with torch.inference_mode():
        assert torch.allclose(network(alone)[0], network(padded)[0], atol=1e-5)
        assert network(padded).shape == (2, 4)


def test_the_cnn_is_the_largest_dot_product_over_windows():
    import torch

    torch.manual_seed(1)
    network = build("cnn", 9, 3).eval()
    row = [2, 5, 7]
    vectors = network.embed.weight.detach().numpy()
    expected = []
    for width, layer in zip(network.WIDTHS, network.convolutions, strict=True):
        weight, bias = layer.weight.detach().numpy(), layer.bias.detach().numpy()
        best = np.zeros(len(bias))
        for end in range(len(row)):
            given = [row[p] if p >= 0 else PAD for p in range(end - width + 1, end + 1)]
            flat = np.concatenate([vectors[w] for w in given])
            best = np.maximum(best, weight @ flat + bias)
        expected.append(best)
    with torch.inference_mode():
        got = network.features(torch.tensor([row])).numpy()[0]
    assert np.allclose(got, np.concatenate(expected), atol=1e-5)
    assert windows(torch.ones(1, 2, 3), 3, before=1).sum() == 12


def test_a_network_learns_and_repeats_itself(found):
    made = [
        NetworkClassifier("cnn", epochs=4, seed=3).fit(
            list(found.train.text), list(found.train.intent),
            validation=(list(found.validation.text), list(found.validation.intent)),
        )
        for _ in range(2)
    ]  # fmt: skip
    texts = list(found.test.text)
    assert np.array_equal(made[0].logits(texts), made[1].logits(texts))
    assert (made[0].predict(texts) == found.test.intent).mean() > 0.8
    with pytest.raises(InputError, match="weighs no words"):
        made[0].word_weights("show me")


def test_attention_weights_are_shares_of_the_words(found):
    made = NetworkClassifier("attention", epochs=1).fit(
        list(found.train.text), list(found.train.intent)
    )
    weight = made.word_weights("show me soap")
    assert list(weight.index) == ["show", "me", "soap"]
    assert weight.sum() == pytest.approx(1) and (weight >= 0).all()


# ---- floors and the regression


def test_the_nearest_sentence_is_found_by_a_plain_loop(found):
    from sklearn.feature_extraction.text import TfidfVectorizer

    model = Nearest().fit(list(found.train.text), list(found.train.intent))
    reader = TfidfVectorizer(tokenizer=words, lowercase=False, token_pattern=None,
                             sublinear_tf=True)  # fmt: skip
    known = reader.fit_transform(found.train.text).toarray()
    for text, row in zip(found.test.text, model.logits(list(found.test.text)), strict=True):
        cosine = known @ reader.transform([text]).toarray()[0]
        for k, name in enumerate(model.classes_):
            mine = cosine[(found.train.intent == name).to_numpy()]
            assert row[k] == pytest.approx(20 * mine.max())


def test_the_regression_is_scikit_learns_and_two_intents_work():
    model = TfIdfLogistic().fit(["a b", "a c", "d e", "d f"], ["x", "x", "y", "y"])
    p = model.predict_proba(["a b", "d"])
    assert np.allclose(p, model.model_.predict_proba(model.reader_.transform(["a b", "d"])))


def test_what_cannot_be_fitted_is_listed():
    with pytest.raises(InputError) as error:
        TfIdfLogistic(0).fit(["a", "  ", "?"], ["x", "x"])
    assert len(error.value.problems) == 4  # lengths, intents, one without words, c
    with pytest.raises(InputError, match="there is no 'lstm'"):
        NetworkClassifier("lstm", epochs=0).fit(["a", "b"], ["x", "y"])


# ---- refusing


def test_the_temperature_is_the_best_of_a_fine_grid():
    rng = np.random.default_rng(0)
    logits = 5 * rng.normal(size=(200, 4))
    at = np.where(rng.random(200) < 0.6, logits.argmax(axis=1), rng.integers(0, 4, 200))

    def loss(t):
        p = softmax(logits / t)
        return -np.mean([math.log(p[i, a]) for i, a in enumerate(at)])

    grid = np.exp(np.linspace(-2, 3, 2001))
    best = grid[np.argmin([loss(t) for t in grid])]
    assert scope.fit_temperature(logits, at) == pytest.approx(best, rel=0.01)
    assert scope.log_loss(logits, at, 1.7) == pytest.approx(loss(1.7))


def test_energy_by_hand():
    assert scope.energy(np.array([[0.0, 0.0], [math.log(3), 0.0]])) == pytest.approx(
        [math.log(2), math.log(4)]
    )


def test_risk_and_coverage_by_a_loop():
    rng = np.random.default_rng(1)
    right, score = rng.random(60) < 0.7, rng.integers(0, 9, 60) / 10
    table = scope.risk_coverage(right, score).set_index("score")
    assert len(table) == len(set(score))
    for s, row in table.iterrows():
        answered = [r for r, x in zip(right, score, strict=True) if x >= s]
        assert row.coverage == pytest.approx(len(answered) / 60)
        assert row.risk == pytest.approx(1 - sum(answered) / len(answered))


def test_no_mistake_on_validation_answers_everything_and_no_success_nothing(found):
    codes = {name: i for i, name in enumerate(sorted(KINDS))}
    known = dict(zip(found.validation.text, found.validation.intent.map(codes), strict=True))

    class Oracle(TfIdfLogistic):
        turn = 0

        def logits(self, texts):
            true = [known.get(text, 0) for text in texts]
            return 9 * np.eye(len(self.classes_))[(np.array(true) + self.turn) % 3]

    model = scope.Understanding(Oracle()).fit(found.train, found.validation, [])
    assert model.threshold_.value == 0
    Oracle.turn = 1
    model = scope.Understanding(Oracle()).fit(found.train, found.validation, [])
    assert model.threshold_.value > 1 and model.read("show me soap").intent == scope.OUTSIDE


def test_shares_are_those_of_a_loop(fits, found):
    table = quality.shares(fits, found, draws=100).set_index(["model", "metric"])
    fit = fits[2]
    heard = [fit.understanding.read(t) for t in found.test.text]
    right = [h.guess == i for h, i in zip(heard, found.test.intent, strict=True)]
    kept = [h.intent != scope.OUTSIDE for h in heard]
    out = [fit.understanding.read(t).intent == scope.OUTSIDE for t in found.outside_test]
    expected = {
        "accuracy": np.mean(right), "answered": np.mean(kept), "refused": np.mean(out),
        "right": np.mean([r for r, k in zip(right, kept, strict=True) if k]),
        "served": np.mean([*(np.array(right) & kept), *out]),
    }  # fmt: skip
    for metric, value in expected.items():
        row = table.loc["logistic", metric]
        assert row.value == pytest.approx(value) and row.low <= value <= row.high
    apart = quality.differences(fits, found, [("logistic", "most-common")], draws=100).iloc[0]
    gap = table.value["logistic", "accuracy"] - table.value["most-common", "accuracy"]
    assert apart.difference == pytest.approx(gap) and apart.favours == "first"


def test_parts_are_drawn_within_intents_and_share_nothing():
    rest, taken = study.parts_of(frame(), 0.2)
    assert not set(rest.text) & set(taken.text) and len(rest) + len(taken) == len(frame())
    for name, count in frame().intent.value_counts().items():
        assert (taken.intent == name).sum() == round(0.2 * count)


def test_a_changed_sentence_keeps_its_letters():
    rng = np.random.default_rng(0)
    text = "where is my parcel"
    assert sorted(readings.changed(text, "words shuffled", rng).split()) == sorted(text.split())
    typo = readings.changed(text, "one typing error", rng)
    assert sorted(typo) == sorted(text) and typo.split()[:3] == text.split()[:3]


# ---- slots

PRICES = {
    "towels under 20": (None, 20), "less than twenty five euros": (None, 25),
    "between 20 and 30": (20, 30), "from thirty to ten": (10, 30), "10-20 yuan": (10, 20),
    "at least $8 and no more than $20": (8, 20), "one hundred and five or less": (None, 105),
    "around 10": (8, 12), "two towels": (None, None), "above 1,200": (1200, None),
    "max 12.50": (None, 12.5), "30 euros": (None, 30), "not over two thousand": (None, 2000),
    "": (None, None), "size 42": (None, None),
}  # fmt: skip

LEXICON = Lexicon.of(shop_items())


@pytest.mark.parametrize("text", PRICES)
def test_price_ranges(text):
    assert price_range(text) == PRICES[text]


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=200))
def test_slots_never_fail(text):
    low, high = LEXICON.slots(text).least, price_range(text)[1]
    assert low is None or low >= 0
    assert high is None or high >= 0


def test_categories_brands_and_what_is_turned_down(shelf):
    said = shelf.lexicon.slots("oral care, but not from Anlan")
    assert said == Slots(category="oral_care", without=("Anlan",), words=said.words)
    assert shelf.lexicon.slots("Towel by beiyu please").brand == "Beiyu"
    moved = Slots("bath", "Beiyu", most=5.0, words=("red",), without=("Anlan",))
    moved = moved.updated(Slots("snacks", least=2.0))
    assert moved == Slots("snacks", least=2.0, without=("Anlan",))
    later = said.updated(shelf.lexicon.slots("anlan is fine"))
    assert later.brand == "Anlan" and later.without == () and later.category == "oral_care"


# ---- products and conversations


def test_offers_keep_to_the_slots_or_say_what_was_dropped(shelf):
    items = shop_items().set_index("item_id")
    slots = Slots(category="bath", most=8.0)
    got = shelf.offers(slots, k=5)
    fitting = items[(items.category == "bath") & (items.price <= 8)]
    assert {o.item_id for o in got.offers} == set(fitting.index[:]) and got.note == ""
    assert all("8" in o.reason and "bath" in o.reason for o in got.offers)
    none = shelf.offers(Slots(category="bath", most=0.5))
    assert none.slots == Slots(category="bath") and "at that price" in none.note and none.offers
    seen = [o.item_id for o in got.offers]
    assert not set(seen) & {o.item_id for o in shelf.offers(slots, seen=seen).offers}


def test_a_conversation_goes_from_a_question_to_products_and_follows_a_choice(start):
    said = Conversation(**start)
    first = said.reply("do you have towels under 9")
    assert first.action == "recommend" and all(o.category == "towels" for o in first.offers)
    assert all(o.price <= 9 for o in first.offers)
    second = said.reply("the second one")
    assert first.offers[1].name in second.reply and second.heard is None
    assert not {o.item_id for o in first.offers} & {o.item_id for o in second.offers}
    assert said.reply("where is my parcel").action == "order"
    refused = [said.reply("qwertz uiop"), said.reply("asdf ghjk")]
    assert [t.action for t in refused] == ["refuse", "hand over"]


@pytest.mark.parametrize("line", [*BAD_LINES, "x" * 10_000, "\ud800", "\u0000", "1" * 5000])
def test_no_line_breaks_a_conversation(start, line):
    turn = Conversation(**start).reply(line)
    assert turn.action in ACTIONS and turn.reply.strip() and len(turn.said) <= MOST_CHARACTERS
    if len(line) > MOST_CHARACTERS:
        assert f"{MOST_CHARACTERS:,} characters" in turn.reply


def test_piped_lines_are_answered_one_by_one_until_goodbye(start, shelf):
    shown = []
    text = "do you have towels\n" + "y" * 50_000 + "\n\nbye\nmore\n"
    assert talk(Conversation(**start), io.StringIO(text), shown.append, explain=True) == 3
    assert sum(line.startswith("   [") for line in shown) == 3
    assert [len(x) for x in lines(io.StringIO("a\n" + "b" * 30_000 + "\nc"))] == [1, 20_000, 1]
    assert len(script(shelf)) > 8


def test_all_that_is_wrong_with_the_command_is_said_at_once(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('[answers]\nother = "x"\n')
    done = cli("chat", "--run", "no-such", "--model", "x", "--offers", 99, "--answers", path)
    assert done.returncode == 2 and "Traceback" not in done.stderr
    for word in ("4 problems", "model 'x'", "offers: 99", "no intent 'other'", "no-such"):
        assert word in done.stderr


def test_answers_of_a_shop_are_checked(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text('[answers]\nleave = "Bye."\nother = "x"\ntrack = ""\n')
    with pytest.raises(InputError) as error:
        read_answers(path, LEADS)
    assert len(error.value.problems) == 2
    path.write_text('leave = "Bye."\n')
    with pytest.raises(InputError, match="'leave' stands outside"):
        read_answers(path, LEADS)
    with pytest.raises(InputError, match="cannot be read"):
        read_answers(tmp_path / "none.toml", LEADS)


def test_public_sets_are_read_as_published(real_data):
    banking, clinc = study.banking77(real_data), study.clinc150(real_data)
    assert banking.train.intent.nunique() == 77 and len(banking.test) == 3080
    assert len(clinc.train) == 15_000 and len(clinc.test) == 4500
    assert clinc.train.intent.nunique() == 150 and len(clinc.outside_test) == 1000
    assert not set(banking.train.text) & set(banking.test.text)
