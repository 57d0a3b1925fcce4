"""Ranking of candidates."""

from collections.abc import Sequence
from operator import mul

import pytest

from tools.search.fusion import PART_WEIGHT, Candidate, paired_terms, paired_vectors, rank


def order(*candidates: Candidate) -> list[int]:
    return [hit.function_id for hit in rank(candidates)]


def test_no_candidates_give_no_hits() -> None:
    assert rank([]) == []


def test_dense_and_lexical_similarity_add_up() -> None:
    by_meaning = Candidate(1, dense=[0.6], lexical=[0.0])
    by_words = Candidate(2, dense=[0.1], lexical=[0.4])
    by_both = Candidate(3, dense=[0.5], lexical=[0.3])
    assert order(by_meaning, by_words, by_both) == [3, 1, 2]
    assert rank([by_both])[0].score == pytest.approx(0.8)


def test_a_score_is_the_sum_of_its_parts() -> None:
    (hit,) = rank([Candidate(1, dense=[0.1, 0.6], lexical=[0.9, 0.1], boost=0.03)])
    assert (hit.why.dense, hit.why.lexical, hit.why.boost) == (0.1, 0.9, 0.03)
    assert hit.score == pytest.approx(1.03)


def test_the_best_fitting_part_lifts_a_tool() -> None:
    answers_one_part = Candidate(1, dense=[0.2, 0.55], lexical=[0, 0])
    answers_all_a_little = Candidate(2, dense=[0.4, 0.4], lexical=[0, 0])
    assert order(answers_all_a_little, answers_one_part) == [1, 2]


# --- pairs --------------------------------------------------------------------------------------------------


def product(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(map(mul, one, other))


def test_a_tool_is_as_like_a_pair_as_it_is_like_the_whole_and_the_part() -> None:
    tool, whole, parts = [0.6, 0.0, 0.8], [1.0, 0.0, 0.0], [[0.0, 1.0, 0.0], [0.0, 0.6, 0.8]]
    measured = [product(tool, pair) for pair in paired_vectors([whole, *parts])]
    expected = [
        (product(tool, whole) + PART_WEIGHT * product(tool, part)) / (1 + PART_WEIGHT) for part in parts
    ]
    assert measured == pytest.approx(expected)


def test_a_pair_has_the_terms_of_both() -> None:
    (pair,) = paired_terms([{1: 1.0, 2: 0.5}, {2: 1.0, 3: 2.0}])
    weights = {1: 1.0, 2: 0.5 + PART_WEIGHT * 1.0, 3: PART_WEIGHT * 2.0}
    assert pair == pytest.approx({term: weight / (1 + PART_WEIGHT) for term, weight in weights.items()})


def test_a_request_without_parts_is_searched_by_the_whole() -> None:
    assert paired_vectors([[0.6, 0.8]]) == [[0.6, 0.8]]
    assert paired_terms([{1: 0.5}]) == [{1: 0.5}]
    assert paired_vectors([]) == []


def test_scores_of_short_and_long_requests_are_on_one_scale() -> None:
    for texts in (1, 9):
        assert all(pair == pytest.approx([0.6, 0.8]) for pair in paired_vectors([[0.6, 0.8]] * texts))
        assert all(pair == pytest.approx({1: 0.2}) for pair in paired_terms([{1: 0.2}] * texts))


def test_a_boost_decides_between_near_equals_only() -> None:
    used = Candidate(1, dense=[0.50], lexical=[0], boost=0.05)
    assert order(used, Candidate(2, dense=[0.54], lexical=[0])) == [1, 2]
    assert order(used, Candidate(2, dense=[0.56], lexical=[0])) == [2, 1]


def test_a_tool_without_a_vector_is_found_by_its_words() -> None:
    embedded = [Candidate(number, dense=[0.3 + number / 100], lexical=[0.1]) for number in range(1, 6)]
    new = Candidate(9, dense=None, lexical=[0.4])
    silent = Candidate(8, dense=None, lexical=[0.0])
    ranks = order(*embedded, new, silent)
    assert ranks[0] == 9
    assert ranks[-1] == 8


def test_without_vectors_words_decide() -> None:
    hits = rank([Candidate(1, dense=None, lexical=[0.1, 0.2]), Candidate(2, dense=None, lexical=[0.3, 0.2])])
    assert [hit.function_id for hit in hits] == [2, 1]
    assert all(hit.why.dense == 0 for hit in hits)


def test_candidates_without_a_positive_score_are_left_out() -> None:
    assert order(Candidate(1, dense=[-0.2], lexical=[0.0]), Candidate(2, dense=None, lexical=[0.0])) == []


def test_equal_scores_have_the_same_order_each_time() -> None:
    equal = [Candidate(number, dense=[0.5], lexical=[0.1]) for number in (3, 1, 2)]
    assert order(*equal) == order(*reversed(equal)) == [1, 2, 3]
