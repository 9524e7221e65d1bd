"""The end of a process whose driver has died: nobody is left behind to go on for ever."""

import os

import trio


async def end_with_driver() -> None:
    """End the process at once when the other end of its standard input closes; the driver writes nothing."""
    async with trio.lowlevel.FdStream(os.dup(0)) as stream:
        while await stream.receive_some():
            pass
    os._exit(1)
