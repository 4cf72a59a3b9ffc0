"""A conversation: what was said, what is known by now, and the next reply."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from precmark.dialogue import replies
from precmark.dialogue.scope import OUTSIDE, Heard, Understanding
from precmark.dialogue.shelf import NOBODY, Offer, Shelf, plain
from precmark.dialogue.slots import Slots
from precmark.dialogue.text import MOST_CHARACTERS, clean, words

if TYPE_CHECKING:
    import pandas as pd

ACTIONS = ("recommend", "ask", "refuse", "hand over", "order", "answer")
"""What a turn can do. "ask" is a question back, "refuse" says that nothing was understood."""

ORDER_OF = {"best_sellers": "popular", "new_arrivals": "newest"}
"""Intents that want the offers in another order."""

ABOUT_PRODUCT = ("product_details", "check_stock", "size_fit", "reviews", "compare_products")
"""Intents whose question is about a product that was just shown, if one was."""

_YES = re.compile(r"^(?:yes|yeah|yep|yup|sure|right|exactly|ok|okay|correct|please do)\b", re.I)
_NO = re.compile(r"^(?:no|nope|nah|not really|wrong)\b", re.I)
_AGAIN = re.compile(r"^(?:start (?:again|over)|reset|new search|forget (?:it|that))\b", re.I)
_MORE = re.compile(
    r"^(?:more|others?|next|show more|something else|anything else|what else)\b", re.I
)
_WHICH = re.compile(
    r"\b(?:the |number |no\.? ?|#)(first|second|third|[1-3]|one|two|three)\b(?: one)?", re.I
)
_PICK = re.compile(
    r"^(?:the |number |no\.? ?|#)?(first|second|third|[1-3])(?: one)?(?:,? please)?[.!]*$", re.I
)
_LIKES = re.compile(r"\b(?:like|take|prefer|want|love|choose|good|nice|great)\b", re.I)
_NUMBERS = {"1": 1, "2": 2, "3": 3, "first": 1, "second": 2, "third": 3}
_NUMBERS |= {"one": 1, "two": 2, "three": 3}


@dataclass(frozen=True)
class Turn:
    """One exchange.

    Attributes
    ----------
    said : str
        The utterance as it was read (see :func:`~precmark.dialogue.text.clean`).
    heard : Heard or None
        None where a rule answered before the classifier: no words, yes or no, a choice by number.
    slots : Slots
        What is known of the wanted product after this turn.
    action : str
        One of :data:`ACTIONS`.
    reply : str
    offers : tuple of Offer
    seconds : float
        Time from utterance to reply.
    """

    said: str
    heard: Heard | None
    slots: Slots
    action: str
    reply: str
    offers: tuple[Offer, ...]
    seconds: float


@dataclass
class _Known:
    """What a conversation remembers."""

    slots: Slots = field(default_factory=Slots)
    shown: list[str] = field(default_factory=list)
    last: tuple[Offer, ...] = ()
    liked: list[str] = field(default_factory=list)
    searched: list[str] = field(default_factory=list)
    searching: bool = False
    asked: bool = False
    refusals: int = 0
    pending: Slots | None = None
    order: str = "fitting"


class Conversation:
    """Replies to one customer, turn by turn.

    Parameters
    ----------
    understanding : Understanding
        Fitted; may serve many conversations.
    shelf : Shelf
        May serve many conversations.
    leads_to : mapping of intent to outcome
        ``"recommend"``, ``"order"``, ``"answer"`` or ``"refuse"``.
    answers : mapping of intent to text, optional
        The shop's own answers, beside those of :data:`precmark.dialogue.replies.ANSWERS`.
    user : int
        Code of a user of the log, whose history counts from the start; nobody where left out.
    offers : int
        Products shown at a time.

    Attributes
    ----------
    turns : list of Turn
    """

    def __init__(
        self,
        understanding: Understanding,
        shelf: Shelf,
        leads_to: Mapping[str, str],
        *,
        answers: Mapping[str, str] | None = None,
        user: int = NOBODY,
        offers: int = 3,
    ):
        self.understanding = understanding
        self.shelf = shelf
        self.leads_to = dict(leads_to)
        self.answers = {**replies.ANSWERS, **(answers or {})}
        self.offers = offers
        self.turns: list[Turn] = []
        self._user: pd.DataFrame = shelf.about(user)
        self._known = _Known()

    def reply(self, text: str) -> Turn:
        """The next turn; any text is answered, and nothing is raised because of it.

        Empty lines, control characters, emoji, right-to-left text and lines of any length are
        read as :func:`~precmark.dialogue.text.clean` leaves them.
        """
        start = time.perf_counter()
        said = clean(text)
        heard, action, reply, offers = self._answer(said)
        if len(" ".join(str(text).split())) > MOST_CHARACTERS:
            reply = f"{replies.too_long(MOST_CHARACTERS)} {reply}"
        known = self._known
        known.refusals = known.refusals + 1 if action in ("refuse", "hand over") else 0
        if action == "hand over":
            known.refusals = 0
        turn = Turn(
            said, heard, known.slots, action, reply, tuple(offers), time.perf_counter() - start
        )
        self.turns.append(turn)
        return turn

    def _answer(self, said: str):
        """``(heard, action, reply, offers)`` of one utterance."""
        known = self._known
        if not any(c.isalnum() for c in said):
            return None, "ask", replies.empty(greeting=not self.turns), ()
        if _AGAIN.search(said):
            self._known = _Known()
            return None, "ask", replies.ask_kind(self.shelf.categories()), ()
        by_rule = self._by_rule(said)
        if by_rule is not None:
            return None, *by_rule
        known.pending = None
        heard = self.understanding.read(said)
        told = self.shelf.lexicon.slots(said)
        if heard.intent == OUTSIDE:
            return heard, *self._refused(heard, told, said)
        return heard, *self._served(heard.intent, told)

    def _by_rule(self, said: str):
        """What needs no classifier: yes or no to a question, a product by number, more of it."""
        known = self._known
        if known.pending is not None and (_YES.search(said) or _NO.search(said)):
            pending, known.pending = known.pending, None
            if _NO.search(said):
                return "ask", replies.ask_kind(self.shelf.categories()), ()
            return self._search(pending)
        if known.last and _MORE.search(said) and len(words(said)) <= 3:
            return self._search(Slots())
        chosen = _PICK.search(said) or (_WHICH.search(said) if _LIKES.search(said) else None)
        number = _NUMBERS[chosen[1].casefold()] if chosen else 0
        if 0 < number <= len(known.last):
            offer = known.last[number - 1]
            known.liked.append(offer.item_id)
            return self._search(Slots(), lead=f"Noted: {offer.name}. With that in mind:")
        return None

    def _refused(self, heard: Heard, told: Slots, said: str):
        """A fragment goes on with the search; a product named is asked about; else a refusal."""
        known = self._known
        # two weak signs together: the guess wants a product, and the catalogue has its name
        wanted = self.leads_to.get(heard.guess) == "recommend"
        wanted &= bool(told.category or (known.searching and told.words))
        filled = told.category or told.brand or told.least is not None or told.most is not None
        if wanted or (known.searching and filled and len(words(said)) <= 8):
            return self._search(told)
        if known.refusals >= 1:
            return "hand over", replies.hand_over(), ()
        if told.category:
            known.pending = told
            return "refuse", replies.is_it(plain(told.category)), ()
        return "refuse", replies.unsure(heard.guess, heard.second), ()

    def _served(self, intent: str, told: Slots):
        known = self._known
        outcome = self.leads_to.get(intent, "answer")
        if intent in ABOUT_PRODUCT and known.last:
            return "answer", replies.details(known.last[0], self.shelf.currency), ()
        if outcome == "refuse":
            return "hand over", replies.hand_over(), ()
        if outcome == "order":
            return "order", replies.order(intent), ()
        if outcome == "answer":
            return "answer", replies.answer(intent, self.answers), ()
        if intent == "cheaper_option":
            told = self._cheaper(told)
        known.order = ORDER_OF.get(intent, "fitting")
        ordered = known.order != "fitting"
        if ordered and told.empty:
            known.slots = Slots()
        if told.empty and known.slots.empty and not known.asked and not ordered:
            known.asked = known.searching = True
            return "ask", replies.ask_kind(self.shelf.categories()), ()
        return self._search(told)

    def _cheaper(self, told: Slots) -> Slots:
        """Below the cheapest that was just shown, or the cheapest third of the shop."""
        if told.most is not None:
            return told
        shown = [o.price for o in self._known.last if o.price is not None]
        most = round(min(shown) - 0.01, 2) if shown else self.shelf.lexicon.cheap
        return replace(told, most=most)

    def _search(self, told: Slots, *, lead: str = ""):
        known = self._known
        if told.category and told.category != known.slots.category:
            known.searched.append(told.category)
        known.slots, known.searching = known.slots.updated(told), True
        history = None
        if len(self._user) or known.liked or known.searched:
            history = self.shelf.history(self._user, known.liked, known.searched)
        offers, note, known.slots = self.shelf.offers(
            known.slots, history=history, seen=known.shown, order=known.order, k=self.offers
        )
        if not offers:
            return "ask", replies.nothing(), ()
        known.shown += [o.item_id for o in offers]
        known.last = tuple(offers)
        return "recommend", replies.offered(offers, note, self.shelf.currency, lead), offers
