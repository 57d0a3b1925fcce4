"""What of the tools that are wanted there is room for. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from assistants.catalogue import definitions
from assistants.catalogue.definitions import Definition
from assistants.catalogue.entries import FunctionEntry


@dataclass(frozen=True, slots=True)
class Offer:
    """A function as the model is told of it: whole or lean."""

    function: FunctionEntry
    definition: Definition
    tokens: int


@dataclass(slots=True)
class Basket:
    """At most `room` tools, whose definitions take at most `budget` tokens in all.

    A tool gets in if it fits lean. What is left then makes definitions whole, those of the first ones first,
    so that no large one keeps others out.
    """

    budget: int
    room: int
    _lean: dict[str, Offer] = field(default_factory=dict)

    def __contains__(self, public_name: str) -> bool:
        return public_name in self._lean

    def put(self, function: FunctionEntry) -> bool:
        """Whether there was room for it, or it was there."""
        if function.public_name in self:
            return True
        if len(self._lean) >= self.room:
            return False
        definition = definitions.lean(function.definition)
        offer = Offer(function, definition, definitions.tokens(definition))
        if offer.tokens > self._left:
            return False
        self._lean[function.public_name] = offer
        return True

    def fill(self, functions: Iterable[FunctionEntry], most: int) -> None:
        """With at most so many of them that were not there. One that is too large gives way to the next."""
        for function in functions:
            if most <= 0:
                return
            most -= function.public_name not in self and self.put(function)

    def offers(self) -> list[Offer]:
        """In the order in which they were put in."""
        left, offers = self._left, []
        for lean in self._lean.values():
            more = lean.function.tokens - lean.tokens
            is_whole = more <= left
            left -= more if is_whole else 0
            offers.append(
                Offer(lean.function, lean.function.definition, lean.function.tokens) if is_whole else lean
            )
        return offers

    @property
    def _left(self) -> int:
        return self.budget - sum(offer.tokens for offer in self._lean.values())
