"""What the dialogue says: one place for its sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from precmark.dialogue.shelf import Offer, money

ANSWERS: dict[str, str] = {
    "small_talk": "At your service. Tell me what you are looking for, or ask about an order.",
}
"""Answers that hold in any shop; a shop adds its own by intent."""


def label(intent: str) -> str:
    """An intent's name as words: ``track_order`` is "track order"."""
    return intent.replace("_", " ")


def empty(greeting: bool) -> str:
    """To an utterance without any word."""
    hello = "Hello. " if greeting else ""
    return f"{hello}I heard no words. Tell me what you are looking for."


def ask_kind(categories: Sequence[str]) -> str:
    """To somebody who wants a product and says nothing of it."""
    if not categories:
        return "What should it be? Name a kind of product, a colour or a price."
    return f"What kind of product should it be? People here often look for {either(categories)}."


def unsure(guess: str, second: str) -> str:
    """To an utterance that is refused for the first time."""
    return (
        f'I am not sure what you mean. Is it about "{label(guess)}" or "{label(second)}"? '
        "Please say it in other words."
    )


def is_it(kind: str) -> str:
    """To a refused utterance that names something of the catalogue."""
    return f"I am not sure what you mean. Are you looking for {kind}? Yes or no."


def hand_over() -> str:
    """After two refusals in a row, or where a person is asked for."""
    return "I hand you over to a colleague, who can read what we wrote here."


def order(intent: str) -> str:
    """To what only the shop's order system knows."""
    return (
        f'That is about "{label(intent)}". I have no access to orders and accounts here; in a '
        "shop this is where its order system is asked."
    )


def answer(intent: str, answers: Mapping[str, str]) -> str:
    """To a question about the shop."""
    if intent in answers:
        return answers[intent]
    return (
        f'That is a question about "{label(intent)}". The log holds no answer to it; in a shop '
        "its own text stands here."
    )


def details(offer: Offer, currency: str) -> str:
    """To a question about the product shown first."""
    known = [f"category {offer.category.replace('_', ' ')}"] if offer.category else []
    known += [f"brand {offer.brand}"] if offer.brand else []
    known += [f"price {money(offer.price, currency)}"] if offer.price is not None else []
    facts = ", ".join(known) or "nothing but its name"
    return f"Of {offer.name} the catalogue says: {facts}. More than that I do not know."


def offered(offers: Sequence[Offer], note: str, currency: str, lead: str = "") -> str:
    """The products with price and reason, numbered."""
    first = " ".join(part for part in (lead, note) if part)
    lines = [first or "How about these?"]
    for i, offer in enumerate(offers, 1):
        price = money(offer.price, currency)
        lines.append(f"{i}. {offer.name}{', ' + price if price else ''} ({offer.reason})")
    return "\n".join(lines)


def nothing() -> str:
    """Where no product is left that was not shown."""
    return 'I have nothing more of that kind. Name another one, or say "start again".'


def too_long(read: int) -> str:
    """Put before the reply to a text of which the end was not read."""
    return f"(I read the first {read:,} characters.)"


def either(names: Sequence[str]) -> str:
    """Names as words: "a", "a or b", "a, b or c"."""
    return " or ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
