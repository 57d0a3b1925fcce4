"""What `tools.search` keeps in the database."""

from django.db import models
from pgvector.django import VectorField


class Embedded(models.Model):
    """Something found by what it means.

    A vector counts only for the embedder whose name stands beside it. Those of another embedder are written
    into `next_embedding`, until all are there: see `tools.search.index`. `indexed_hash` is of the text that
    both were made of; "" once that text has changed.
    """

    embedding = VectorField(null=True, editable=False)
    embedder = models.CharField(max_length=128, blank=True, editable=False)
    next_embedding = VectorField(null=True, editable=False)
    next_embedder = models.CharField(max_length=128, blank=True, editable=False)
    indexed_hash = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        abstract = True


class WordCount(models.Model):
    """In how many of a server's indexed functions a word stands, by its hash. `EVERY` counts them all."""

    EVERY = -1
    server = models.ForeignKey(
        "tools.MCPTool", on_delete=models.CASCADE, related_name="word_counts", db_index=False
    )
    word = models.IntegerField()
    functions = models.PositiveIntegerField()

    class Meta:
        constraints = [
            # A search reads nothing but this index.
            models.UniqueConstraint(
                fields=["word", "server"], include=["functions"], name="wordcount_word_server"
            )
        ]

    def __str__(self) -> str:
        return f"{self.word} in {self.functions} of {self.server_id}"


class FunctionUse(models.Model):
    """How often an assistant used a function, and the sum of the vectors of the requests that it served.

    `used_by`: the assistant's id; it belongs to an app above. No single request can be read from a sum: only
    `tools.uses` writes it.
    """

    function = models.ForeignKey("tools.ToolFunction", on_delete=models.CASCADE, related_name="uses")
    used_by = models.BigIntegerField()
    uses = models.PositiveIntegerField(default=0)
    requests = VectorField(null=True)
    embedder = models.CharField(max_length=128, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["used_by", "function", "embedder"], name="functionuse_unique")
        ]

    def __str__(self) -> str:
        return f"{self.used_by} used {self.function_id} {self.uses} times"


class EmbedderFailure(models.Model):
    """Why there are no vectors of an embedder, as far as they are missing. Gone once it has answered."""

    embedder = models.CharField(max_length=128, unique=True)
    reason = models.TextField()
    at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.embedder}: {self.reason}"
