"""Loads Strands without what it imports for everybody, and nothing here uses: 15 MB of each process.

Of these only Bedrock needs boto3: `strands.models.bedrock` is imported anew, with boto3, by
`llm/vendor_sdks.py` for a provider of that kind.
"""

import sys

import opentelemetry.sdk  # noqa: F401 - a parent that its stand-in is an attribute of

from core.stand_ins import import_without

if "boto3" not in sys.modules:
    import_without(
        "strands",
        *("boto3", "botocore", "botocore.config", "botocore.exceptions"),
        *("opentelemetry.sdk.metrics", "opentelemetry.sdk.metrics.export"),
        *("strands.bidi", "strands.bidi.agent", "strands.bidi.hooks"),
        "sqlite3",  # of a search in files
    )
    sys.modules.pop("strands.models.bedrock", None)
