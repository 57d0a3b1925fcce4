from assistants.catalogue import definitions
from assistants.selection.budget import Basket
from tests.assistants.selection.conftest import functions

LONG = {"type": "object", "properties": {"a": {"type": "string", "description": "x" * 3000}}}
LEAN = {"type": "object", "properties": {"a": {"type": "string"}}}


def names(basket: Basket) -> list[str]:
    return [offer.function.name for offer in basket.offers()]


def test_the_budget_is_never_passed() -> None:
    for budget in range(0, 400, 7):
        basket = Basket(budget, room=100)
        basket.fill(functions(*"abcdefghij"), most=100)
        offers = basket.offers()
        spent = sum(definitions.tokens(offer.definition) for offer in offers)
        assert spent == sum(offer.tokens for offer in offers) <= budget


def test_what_is_too_large_whole_is_offered_lean() -> None:
    (large,) = functions("large", input_schema=LONG)
    basket = Basket(200, room=10)
    assert large.tokens > 1000
    assert basket.put(large)
    [offer] = basket.offers()
    assert offer.definition["function"]["parameters"] == LEAN


def test_what_fits_whole_is_offered_whole() -> None:
    basket = Basket(4000, room=10)
    basket.fill(functions("large", "larger", input_schema=LONG), most=10)
    assert [offer.definition["function"]["parameters"] for offer in basket.offers()] == [LONG, LONG]


def test_a_large_one_keeps_none_out_and_the_first_are_told_best() -> None:
    basket = Basket(1500, room=10)
    basket.fill(functions(*"abcdef", input_schema=LONG), most=10)
    assert names(basket) == list("abcdef")
    told = [offer.definition["function"]["parameters"] for offer in basket.offers()]
    assert told == [LONG, *[LEAN] * 5]


def test_one_that_has_no_room_at_all_gives_way_to_the_next() -> None:
    wide = {"type": "object", "properties": {f"p{number}": {"type": "string"} for number in range(200)}}
    basket = Basket(200, room=10)
    basket.fill([*functions("wide", input_schema=wide), *functions("small")], most=1)
    assert names(basket) == ["small"]


def test_it_takes_no_more_than_it_is_told_to() -> None:
    basket = Basket(10_000, room=3)
    basket.fill(functions(*"ab"), most=1)
    basket.fill(functions(*"abcdef"), most=100)
    assert names(basket) == ["a", "b", "c"]


def test_what_is_in_takes_no_second_place() -> None:
    basket = Basket(10_000, room=1)
    assert [basket.put(each) for each in functions("a", "a", "b")] == [True, True, False]
