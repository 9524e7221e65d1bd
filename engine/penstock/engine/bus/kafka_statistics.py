"""The lag from librdkafka's statistics (https://github.com/confluentinc/librdkafka/blob/master/STATISTICS.md)."""

import msgspec

from penstock.engine.bus.bus import Begin


class _Partition(msgspec.Struct):
    lo_offset: int = -1
    hi_offset: int = -1
    committed_offset: int = -1


class _Topic(msgspec.Struct):
    partitions: dict[str, _Partition] = {}


class _Statistics(msgspec.Struct):
    topics: dict[str, _Topic] = {}


_decode = msgspec.json.Decoder(_Statistics).decode


def read_lag(text: str, begin: Begin) -> dict[tuple[str, int], int]:
    """Messages between the committed offset and the end of each partition whose end is known.

    Where nothing was ever committed, all that are kept, or none if the group begins with what is new.
    """
    lag: dict[tuple[str, int], int] = {}
    for name, topic in _decode(text).topics.items():
        for number, one in topic.partitions.items():
            if one.hi_offset < 0 or number == "-1":  # an inner one, for messages without a partition yet
                continue
            start = max(0, one.lo_offset) if begin == "oldest" else one.hi_offset
            committed = one.committed_offset if one.committed_offset >= 0 else start
            lag[name, int(number)] = max(0, one.hi_offset - committed)
    return lag
