"""The indexed text of a tool, and its terms."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from tools.search.text import Document, embedded_texts, informative_title, split_name, terms

FORECAST = Document(
    server_name="open-meteo",
    server_description="Weather for everyone.",
    name="get_forecastByCity",
    title="",
    description="Temperature and rain\n   for the next days.",
    parameters=("city", "daysAhead"),
)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("get_forecastByCity", "get forecast By City"),
        ("HTTPServer.list-allURLs", "HTTP Server list all URLs"),
        ("fs:read/file@v2", "fs read file v2"),
        ("plain", "plain"),
        ("__", ""),
        ("", ""),
    ],
)
def test_names_are_split_into_words(name: str, words: str) -> None:
    assert split_name(name) == words


def test_forms_of_a_word_are_one_term() -> None:
    assert terms("Converting conversions") == terms("convert conversion")
    assert terms("createIssue") == terms("creates issues")


def test_stop_words_are_no_terms() -> None:
    assert terms("Could you please do this for me?") == []


def test_chinese_is_read_by_character_and_pair() -> None:
    assert terms("天气预报") == ["天", "气", "预", "报", "天气", "气预", "预报"]
    assert set(terms("查天气")) & set(terms("天气预报")) == {"天", "气", "天气"}


@pytest.mark.parametrize("text", ["", "🌧️🌂", "{}%()[]'\"\\;--", "\u2028\x7f"])
def test_symbols_have_no_terms(text: str) -> None:
    assert terms(text) == []


def test_threads_stem_side_by_side() -> None:
    words = "running jumps easily connections" * 50
    with ThreadPoolExecutor(8) as pool:
        assert len({tuple(result) for result in pool.map(terms, [words] * 64)}) == 1


def test_a_tool_is_embedded_in_full_and_by_name() -> None:
    assert [text for text, _ in embedded_texts(FORECAST)] == [
        "open meteo: get forecast By City. Temperature and rain for the next days. (Weather for everyone.)",
        "get forecast By City",
    ]


def test_examples_count_as_much_together_as_the_full_text() -> None:
    (_, full), (_, name), *examples = embedded_texts(
        replace(FORECAST, examples=("Will it rain?", "How hot?"))
    )
    assert [text for text, _ in examples] == ["Will it rain?", "How hot?"]
    assert sum(weight for _, weight in examples) == full > name > 0


def test_a_huge_description_is_cut() -> None:
    huge = replace(FORECAST, description="rain " * 200_000, server_description="sun " * 200_000)
    assert len(embedded_texts(huge)[0][0]) < 1_000


def test_no_embedder_is_given_an_empty_text() -> None:
    nameless = Document(server_name="", server_description="", name="_", title="", description="")
    assert all(text.strip() for text, _ in embedded_texts(nameless))


def test_a_title_counts_if_it_differs_from_the_name() -> None:
    assert informative_title(replace(FORECAST, title="Get Forecast by City")) == ""
    telling = replace(FORECAST, title="Umbrella advice")
    assert "Umbrella advice." in embedded_texts(telling)[0][0]
