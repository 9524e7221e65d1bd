"""The mark of a parameter that is no argument of a job."""

from typing import Any


class _Provided:
    def __repr__(self) -> str:
        return "PROVIDED"


PROVIDED: Any = _Provided()
"""The default of a job's parameter that is given what some module's lifespan yields, by its type:
`async def thumbnail(ctx: JobContext, path: str, store: Bucket = PROVIDED)`. It is neither sent nor stored."""
