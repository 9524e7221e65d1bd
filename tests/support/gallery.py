"""An application whose module uses all that modules may have; run by processes of tests."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec

from penstock.engine import PROVIDED, JobContext, Module


class GallerySettings(msgspec.Struct):
    """Where pictures are."""

    folder: Path


class Hung(msgspec.Struct):
    """A picture hangs."""

    name: str


class Bucket:
    """Pictures in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder


gallery = Module("gallery", settings=GallerySettings)
hung = gallery.counter("pictures_hung", "Pictures hung.")


@gallery.lifespan
async def bucket(settings: GallerySettings) -> AsyncIterator[Bucket]:
    """Open the folder."""
    if not settings.folder.is_dir():
        raise FileNotFoundError(f"{settings.folder} is no folder")
    yield Bucket(settings.folder)


@gallery.health
async def not_full(bucket: Bucket) -> str | None:
    """It is, once there is a file that says so."""
    return "the folder is full" if (bucket.folder / "full").exists() else None


@gallery.job
async def hang(ctx: JobContext, name: str, bucket: Bucket = PROVIDED) -> str:
    """Hang a picture."""
    hung.inc()
    await ctx.publish("pictures.hung", Hung(name))
    return str(bucket.folder / name)


@gallery.on("pictures.hung")
async def praise(ctx: JobContext, event: Hung, bucket: Bucket = PROVIDED) -> None:
    """Say so, on a note beside it."""
    (bucket.folder / f"{event.name}.note").write_text(f"{ctx.tenant} has hung {event.name}")


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Say hello."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": f"hello from {scope['root_path']}".encode()})


gallery.mount(application)
