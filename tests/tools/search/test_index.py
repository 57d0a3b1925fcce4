"""The index: what is indexed, when it is indexed anew, and what a failing embedder leaves."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from core import feed
from tests.tools.search.conftest import (
    BY,
    asked,
    function,
    index_all,
    names,
    offer,
    register,
    search,
    topical,
)
from tests.tools.search.embedding_service import EmbeddingService, Reply, vectors
from tools import actions
from tools.functions import actions as function_actions
from tools.models import MCPTool, ToolFunction, WordCount
from tools.search import index, lexical
from tools.search.bm25 import dimension
from tools.search.text import terms

pytestmark = pytest.mark.django_db(transaction=True)


def elsewhere(work: Callable[[], Any]) -> None:
    """Runs `work` on a database connection of its own."""

    def run() -> None:
        try:
            work()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()


def forecast() -> MCPTool:
    server = register("Clouds", description="Weather of the world")
    offer(server, forecast="Will it rain?", umbrella="Whether to take one")
    return server


def test_the_tools_of_a_server_are_indexed(embedder: EmbeddingService) -> None:
    forecast()
    assert (index.progress().indexed, index.progress().is_complete) == (0, False)
    index_all()
    progress = index.progress()
    assert (progress.functions, progress.indexed, progress.embedded, progress.degraded) == (2, 2, 2, "")
    assert progress.is_complete
    assert "Clouds: forecast. Will it rain? (Weather of the world)" in asked(embedder)


def test_unchanged_tools_are_not_embedded_again(embedder: EmbeddingService) -> None:
    server = forecast()
    index_all()
    embedder.bodies.clear()
    offer(server, forecast="Will it rain?", umbrella="Whether to take one or two")
    index_all()
    texts = [text for text in asked(embedder) if text.startswith("Clouds: umbrella")]
    assert texts == ["Clouds: umbrella. Whether to take one or two (Weather of the world)"]
    assert not [text for text in asked(embedder) if text.startswith("Clouds: forecast.")]
    embedder.bodies.clear()
    offer(server, forecast="Will it rain?", umbrella="Whether to take one or two")
    index_all()
    assert embedder.bodies == []


@pytest.mark.parametrize(
    "change",
    [
        lambda server, row: actions.update(server, by=BY, name="Letters"),
        lambda server, row: actions.update(server, by=BY, description="It reads your letter."),
        lambda server, row: function_actions.update(row, by=BY, overrides={"description": "Opens a letter."}),
        lambda server, row: function_actions.update(row, by=BY, overrides={"name": "letter"}),
    ],
    ids=["server's name", "server's description", "override of the description", "override of the name"],
)
def test_texts_by_staff_are_found(change: Callable[..., Any], embedder: EmbeddingService) -> None:
    server = forecast()
    index_all()
    assert not search("letter").hits[0].why.lexical
    change(server, function("forecast"))
    index_all()
    first = search("letter").hits[0]
    assert first.function == "forecast" or server.name == "Letters" or server.description.endswith("letter.")
    assert first.why.lexical > 0


def test_a_removed_tool_leaves_the_index(embedder: EmbeddingService) -> None:
    server = forecast()
    index_all()
    offer(server, umbrella="Whether to take one")
    index_all()
    gone = function("forecast")
    assert (gone.words, gone.embedding) == (None, None)
    assert counted(server)["forecast"] == 0
    offer(server, forecast="Will it rain?")
    index_all()
    assert names(search("forecast")) == ["forecast"]


def counted(server: MCPTool) -> Any:
    """Returns the number of its tools that contain a word."""
    rows = {row.word: row.functions for row in server.word_counts.all()}

    class Counted:
        def __getitem__(self, word: str) -> int:
            return rows.get(dimension(terms(word)[0]), 0)

        every = rows.get(WordCount.EVERY, 0)

    return Counted()


def test_words_are_counted_by_server(embedder: EmbeddingService) -> None:
    clouds, post = forecast(), register("Post")
    offer(post, send="Send a letter, whether it may rain or not")
    index_all()
    assert (counted(clouds).every, counted(clouds)["weather"], counted(clouds)["rain"]) == (2, 2, 1)
    assert (counted(post).every, counted(post)["weather"], counted(post)["rain"]) == (1, 0, 1)
    actions.delete(post, by=BY)
    assert not WordCount.objects.filter(server=post).exists()


def test_indexing_can_be_cut_off_between_batches(
    embedder: EmbeddingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lexical, "BATCH", 10)
    server = register("Many")
    offer(server, **{f"number_{number}": f"The number {number}" for number in range(70)})
    assert index.work(for_s=0)
    assert index.progress().indexed == 10
    pieces = 1
    while index.work(for_s=0):
        pieces += 1
    assert index.progress().is_complete
    assert pieces > 70 / 32
    assert len([text for text in asked(embedder) if text.startswith("Many: number")]) == 70


def test_a_text_that_changes_while_it_is_embedded_is_embedded_again(embedder: EmbeddingService) -> None:
    server = forecast()

    def change_first(body: dict[str, Any]) -> Reply:
        embedder.reply = topical
        elsewhere(lambda: offer(server, forecast="Sends mail", umbrella="Whether to take one"))
        return topical(body)

    embedder.reply = change_first
    index_all()
    assert index.progress().is_complete
    assert names(search("inbox"))[0] == "forecast"


def test_one_process_indexes_at_a_time(embedder: EmbeddingService) -> None:
    forecast()
    busy: list[bool] = []

    def meanwhile(body: dict[str, Any]) -> Reply:
        elsewhere(lambda: busy.append(index.work(for_s=60)))
        return topical(body)

    embedder.reply = meanwhile
    index_all()
    assert busy
    assert not any(busy)
    assert len([text for text in asked(embedder) if text.startswith("Clouds: forecast.")]) == 1


def test_indexing_empties_no_cache_but_that_of_word_counts(embedder: EmbeddingService) -> None:
    forecast()
    parameters = connection.get_connection_params()
    settings = {name: parameters[name] for name in ("dbname", "host", "port", "user") if name in parameters}
    with psycopg.connect(**settings, autocommit=True) as listener:
        listener.execute(f"LISTEN {feed.CHANNEL}")
        index_all()
        assert {each.payload for each in listener.notifies(timeout=0.2)} == {"tools_wordcount"}
        forecast_again = function("forecast")
        function_actions.update(forecast_again, by=BY, is_enabled=False)
        assert "tools_toolfunction" in {
            notification.payload for notification in listener.notifies(timeout=0.5)
        }


# --- embedders that fail ------------------------------------------------------------------------------------


def nonsense(body: dict[str, Any]) -> Reply:
    return vectors(*([float("nan")] * 4 for _ in body["input"]))


def test_the_lexical_index_does_not_need_the_embedder(embedder: EmbeddingService) -> None:
    embedder.reply = nonsense
    forecast()
    index_all()
    progress = index.progress()
    assert (progress.functions, progress.indexed, progress.embedded) == (2, 2, 0)
    assert progress.degraded == index.failure() != ""
    embedder.reply = topical
    found = search("will it rain")
    assert names(found) == ["forecast"]
    assert "yet: 2 of" in found.degraded


def test_indexing_goes_on_once_the_embedder_answers(embedder: EmbeddingService) -> None:
    embedder.reply = nonsense
    forecast()
    index_all()
    embedder.reply = topical
    index_all()
    assert (index.progress().is_complete, index.progress().degraded, index.failure()) == (True, "", "")


def test_a_description_of_a_megabyte_is_indexed(embedder: EmbeddingService) -> None:
    server = register("Long")
    offer(server, long="weather " + "天气预报员" * 200_000, other="short")
    index_all()
    assert index.progress().is_complete
    assert len(function("long").words.indices()) <= lexical.MOST_TERMS
    assert names(search("weather"))[0] == "long"


# --- another embedder ---------------------------------------------------------------------------------------


def wider(body: dict[str, Any]) -> Reply:
    """Answers vectors of another size for the same topics."""
    each = [vector["embedding"] for vector in topical(body).body["data"]]
    return vectors(*([0.5, *vector] for vector in each)) if body["model"] == "wider" else topical(body)


def test_another_embedder_takes_over_without_a_gap(
    embedder: EmbeddingService, use: Callable[[str], None]
) -> None:
    embedder.reply = wider
    forecast()
    offer(register("Post"), send="Sends mail")
    index_all()

    use("wider")
    assert "yet: 3 of" in search("inbox").degraded
    call_command("reembed")
    found = search("inbox")
    assert (names(found)[0], found.degraded) == ("send", "")
    assert "wider" in found.embedder

    use("topical")  # processes that have not been restarted
    found = search("inbox")
    assert (names(found)[0], found.degraded) == ("send", "")
    assert found.hits[0].why.lexical == 0
    assert set(ToolFunction.objects.values_list("embedder", flat=True)) == {found.embedder}

    use("wider")
    index_all()
    stored = set(ToolFunction.objects.values_list("embedder", "next_embedder"))
    assert stored == {(search("inbox").embedder, "")}
    assert len(function("send").embedding) == 5
    assert search("inbox").degraded == ""


def test_vectors_of_two_sizes_are_never_compared(embedder: EmbeddingService) -> None:
    forecast()
    index_all()
    ToolFunction.objects.filter(name="forecast").update(embedding=[1.0, 0.0])
    found = search("will it rain")
    assert names(found)[0] == "forecast"
    assert "yet: 1 of" in found.degraded


def test_reembed_reports_the_failure_of_the_embedder(embedder: EmbeddingService) -> None:
    embedder.reply = nonsense
    forecast()
    with pytest.raises(CommandError) as refusal:
        call_command("reembed")
    assert str(refusal.value) == index.failure()


def test_reembed_anew_replaces_existing_vectors(embedder: EmbeddingService) -> None:
    forecast()
    index_all()
    embedder.bodies.clear()
    call_command("reembed")
    assert embedder.bodies == []
    call_command("reembed", "--anew")
    assert [text for text in asked(embedder) if text.startswith("Clouds: forecast.")]
    assert index.progress().is_complete
