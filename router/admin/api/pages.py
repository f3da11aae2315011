"""Lists in pages: a page says where the next one begins, so that what comes in between moves nothing."""

from typing import Annotated

from litestar.params import QueryParameter

LIMIT_MOST = 200
Limit = Annotated[int, QueryParameter(ge=1, le=LIMIT_MOST, description="How many, at the most.")]


def limited(limit: int) -> int:
    return max(1, min(limit, LIMIT_MOST))
