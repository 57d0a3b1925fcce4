"""Models that `tools.search` and `tools.feedback` store their vectors, word counts and failures in."""

from django.db import models
from django.utils.translation import gettext_lazy as _
from pgvector.django import VectorField


class Embedded(models.Model):
    """A row that is found by the vector of its text.

    A vector counts only for the embedder whose name stands beside it. Vectors of a new embedder are written
    into `next_embedding` until all rows have one: see `tools.search.vectors`. `indexed_hash` is the hash of
    the text that both were made from, and "" once that text has changed.
    """

    VECTORS = ("embedding", "next_embedding")

    embedding = VectorField(null=True, editable=False)
    embedder = models.CharField(max_length=128, blank=True, editable=False)
    next_embedding = VectorField(null=True, editable=False)
    next_embedder = models.CharField(max_length=128, blank=True, editable=False)
    indexed_hash = models.CharField(max_length=64, blank=True, editable=False)

    class Meta:
        abstract = True


class WordCount(models.Model):
    """The number of a server's indexed tools that contain a word, given by its hash.

    The row of the word `EVERY` counts all of the server's indexed tools.
    """

    EVERY = -1
    server = models.ForeignKey(
        "tools.MCPTool", on_delete=models.CASCADE, related_name="word_counts", db_index=False
    )
    word = models.IntegerField()
    functions = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("word count")
        verbose_name_plural = _("word counts")
        constraints = [
            # A search reads nothing but this index.
            models.UniqueConstraint(
                fields=["word", "server"], include=["functions"], name="wordcount_word_server"
            )
        ]

    def __str__(self) -> str:
        return f"{self.word} in {self.functions} of {self.server_id}"


class FunctionUse(models.Model):
    """Relevance feedback: how often an assistant used a tool, and the sum of the vectors of those requests.

    A sum, so that no single request can be read from it. `used_by` is the assistant's id and no foreign key,
    because assistants belong to an app above. Only `tools.feedback` writes it.
    """

    function = models.ForeignKey("tools.ToolFunction", on_delete=models.CASCADE, related_name="uses")
    used_by = models.BigIntegerField()
    uses = models.PositiveIntegerField(default=0)
    requests = VectorField(null=True)
    embedder = models.CharField(max_length=128, blank=True)

    class Meta:
        verbose_name = _("function use")
        verbose_name_plural = _("function uses")
        constraints = [
            models.UniqueConstraint(fields=["used_by", "function", "embedder"], name="functionuse_unique")
        ]

    def __str__(self) -> str:
        return f"{self.used_by} used {self.function_id} {self.uses} times"


class EmbedderFailure(models.Model):
    """The last failure of an embedder. The row is deleted once the embedder has answered."""

    embedder = models.CharField(max_length=128, unique=True)
    reason = models.TextField()
    at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name = _("embedder failure")
        verbose_name_plural = _("embedder failures")

    def __str__(self) -> str:
        return f"{self.embedder}: {self.reason}"
