"""Lexical similarity."""

from collections import Counter
from dataclasses import replace

import pytest

from tools.search import bm25
from tools.search.bm25 import DIMENSIONS, dimension, dimensions, document_vector, query_vector, weight
from tools.search.text import Document

EMPTY = Document(server_name="", server_description="", name="", title="", description="")


def scores(query: str, *documents: Document) -> list[float]:
    vectors = [document_vector(document) for document in documents]
    frequencies = Counter(place for vector in vectors for place in vector)
    asked = query_vector(query, frequencies=frequencies, documents=len(documents))
    return [sum(vector.get(place, 0) * value for place, value in asked.items()) for vector in vectors]


def described(*descriptions: str) -> list[Document]:
    return [replace(EMPTY, description=description) for description in descriptions]


def best(query: str, *documents: Document) -> int:
    found = scores(query, *documents)
    return max(range(len(found)), key=found.__getitem__)


def test_a_term_has_the_same_dimension_in_every_process() -> None:
    assert dimension("weather") == 54_126
    assert all(0 <= dimension(str(number)) < DIMENSIONS for number in range(1_000))


def test_rare_words_count_more() -> None:
    documents = described("list files", "list users", "list invoices", "print invoices now", "list teams")
    assert best("list invoices", *documents) == 2
    assert best("files invoices list users print", *documents) == 3


def test_a_name_counts_more_than_a_description() -> None:
    named, described_ = replace(EMPTY, name="sendMail"), replace(EMPTY, description="send mail")
    by_name, by_description = scores("mail", named, described_)
    assert by_name > by_description > 0


def test_every_field_is_read() -> None:
    document = Document(
        server_name="alpha",
        server_description="beta",
        name="gamma",
        title="delta",
        description="epsilon",
        parameters=("zetaEta",),
        examples=("theta iota",),
    )
    found = document_vector(document)
    words = "alpha beta gamma delta epsilon zeta eta theta iota"
    assert set(found) == set(dimensions(words))


def test_repeating_a_word_counts_less_each_time() -> None:
    once, twice, often = (document_vector(each) for each in described("rain", "rain rain", "rain " * 30))
    place = dimension("rain")
    assert twice[place] - once[place] < once[place]
    assert often[place] < 2.2


def test_a_long_description_does_not_win_by_its_length() -> None:
    long = "convert currency " + " ".join(f"word{number}" for number in range(300))
    assert best("convert currency", *described(long, "convert currency")) == 1


def test_a_tool_has_the_same_vector_whatever_else_there_is() -> None:
    assert document_vector(EMPTY) == {}
    assert document_vector(*described("rain")) == document_vector(*described("rain"))


def test_a_huge_description_is_bounded() -> None:
    huge = " ".join(f"w{number}" for number in range(200_000))
    assert len(document_vector(*described(huge))) < 2_000


@pytest.mark.parametrize("query", ["", "🌂", "what is the of it"])
def test_a_query_without_terms_has_an_empty_vector(query: str) -> None:
    assert query_vector(query, frequencies={}, documents=10) == {}
    assert weight(len(dimensions(query))) > 0


def test_a_word_of_all_documents_still_counts() -> None:
    assert all(score > 0 for score in scores("rain", *described("rain", "rain")))


def test_a_count_above_the_number_of_documents_breaks_nothing() -> None:
    """The counts may be read while they change."""
    assert query_vector("rain", frequencies={dimension("rain"): 12}, documents=10)[dimension("rain")] > 0


def test_long_requests_do_not_outweigh_vectors() -> None:
    assert weight(25) == pytest.approx(weight(1) / 5)


def test_camel_case_finds_snake_case() -> None:
    documents = [replace(EMPTY, name="list_pull_requests"), replace(EMPTY, name="list_branches")]
    assert best("listPullRequests", *documents) == 0


def test_chinese_finds_chinese() -> None:
    assert best("查询天气预报", *described("发送电子邮件", "获取天气预报", "翻译文本")) == 1


def test_the_hash_has_few_collisions() -> None:
    words = {f"term{number}" for number in range(20_000)}
    assert len({bm25.dimension(word) for word in words}) > 0.98 * len(words)
