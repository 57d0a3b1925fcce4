"""The vectors of assistants are kept up to date."""

from typing import Any

import pytest

from apikeys.models import AuditEntry
from assistants import actions
from assistants.models import Assistant
from assistants.routing import index
from assistants.tasks import index_assistants
from tests.assistants.routing.conftest import BY, create, register
from tests.queries import assert_same_queries
from tools.functions import catalogue
from tools.search import embedder
from tools.search import index as tool_index

pytestmark = pytest.mark.django_db(transaction=True)


def vector(assistant: Assistant) -> list[float]:
    assistant.refresh_from_db()
    assert assistant.embedder == embedder.active().name  # type: ignore[union-attr]
    return [float(value) for value in assistant.embedding]


def test_an_assistant_that_has_not_changed_is_not_written(indexed: dict[str, Assistant]) -> None:
    updated = list(Assistant.objects.order_by("pk").values_list("updated_at", "version", "indexed_hash"))
    assert index.refresh() == 0
    assert (
        list(Assistant.objects.order_by("pk").values_list("updated_at", "version", "indexed_hash")) == updated
    )


def test_the_number_of_queries_does_not_grow_with_the_assistants(indexed: dict[str, Assistant]) -> None:
    def add() -> None:
        for number in range(5):
            create(f"more-{number}", [register(f"Server {number}", {"a": "A.", "b": "B."})])
        index.refresh()

    assert_same_queries(index.refresh, after=add)


def test_another_prompt_makes_another_vector(indexed: dict[str, Assistant]) -> None:
    before = vector(indexed["writer"])
    actions.update(indexed["writer"], by=BY, system_prompt="You repair bicycles.")
    assert index.refresh() == 1
    assert vector(indexed["writer"]) != before


def test_other_tools_make_another_vector(indexed: dict[str, Assistant]) -> None:
    before = vector(indexed["cook"])
    server = indexed["cook"].tools.get(name="Recipes")
    catalogue.record(server.pk, [{"name": "repair_bicycle", "inputSchema": {"type": "object"}}])
    assert index.refresh() == 1
    assert vector(indexed["cook"]) != before


def test_functions_that_were_not_chosen_are_not_in_the_text(db: None) -> None:
    server = register("Garage", {"repair_bicycle": "Repair.", "sell_car": "Sell."})
    narrowed = actions.ToolUse(server, functions=["repair_bicycle"])
    whole, part = create("whole", [server]), create("part", [narrowed])  # type: ignore[list-item]
    offered = index.offered_to([whole, part])
    texts = {each: index.embedded_text(index.profile(each, offered)) for each in (whole, part)}
    assert texts[whole] == "Whole: Garage: repair bicycle, sell car"
    assert texts[part] == "Part: Garage: repair bicycle"


def test_the_row_is_written_when_a_server_has_another_vector(indexed: dict[str, Assistant]) -> None:
    """Web processes hold the vectors of servers too, but their caches listen to the rows of assistants."""
    server = indexed["travel"].tools.get(name="Hotels")
    type(server).objects.filter(pk=server.pk).update(embedding=None, embedder="", indexed_hash="")
    assert index.refresh() == 1
    tool_index.work(for_s=30)
    assert index.refresh() == 1


def test_a_disabled_assistant_is_embedded_once_it_is_enabled(db: None) -> None:
    assistant = create("off", is_enabled=False)
    assert index.refresh() == 0
    actions.update(assistant, by=BY, is_enabled=True)
    assert index.refresh() == 1


def test_vectors_of_a_new_embedder_are_promoted_when_they_are_complete(indexed: dict[str, Assistant]) -> None:
    """Until then they are stored in the second slot, beside those of the old embedder."""
    Assistant.objects.update(embedder="old", embedding=[1.0, 0.0])
    late = indexed["cook"]
    Assistant.objects.filter(pk=late.pk).update(is_enabled=False)
    rows = Assistant.objects.filter(is_enabled=True)
    assert index.refresh() == 3
    assert set(rows.values_list("embedder", "next_embedder")) == {(embedder.active().name, "")}  # type: ignore[union-attr]
    late.refresh_from_db()
    assert (late.embedder, late.next_embedder) == ("old", "")


def test_an_embedder_that_fails_is_logged_and_vectors_stay(
    indexed: dict[str, Assistant], settings: Any, caplog: pytest.LogCaptureFixture
) -> None:
    settings.EMBEDDING_BASE_URL, settings.EMBEDDING_MODEL = "http://127.0.0.1:9/v1", "gone"
    index_assistants()
    assert "Assistants are not all embedded" in caplog.text
    assert has_vector(indexed["cook"])


def has_vector(assistant: Assistant) -> bool:
    assistant.refresh_from_db()
    return assistant.embedding is not None


def test_a_copy_is_embedded_anew_and_vectors_are_not_in_the_audit_log(indexed: dict[str, Assistant]) -> None:
    cook = Assistant.objects.get(slug="cook")
    copy = actions.duplicate(cook, by=BY)
    assert (copy.embedding, copy.embedder, copy.indexed_hash) == (None, "", "")
    assert index.refresh() == 1
    copy.refresh_from_db()
    actions.update(copy, by=BY, description="Another.")
    actions.delete(copy, by=BY)
    entries = AuditEntry.objects.filter(object_kind="assistant", object_name=copy.name)
    names = {name for entry in entries for name in (*(entry.before or {}), *(entry.after or {}))}
    assert "description" in names
    assert not {name for name in names if "embed" in name or "indexed" in name}
