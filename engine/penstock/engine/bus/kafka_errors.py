"""What librdkafka says, in a bus's words."""

from confluent_kafka import KafkaError

from penstock.engine.bus.errors import BusRefused, BusUnavailable, UnknownTopic
from penstock.engine.bus.metrics import ERRORS

_UNKNOWN = {"UNKNOWN_TOPIC_OR_PART", "_UNKNOWN_TOPIC", "_UNKNOWN_PARTITION"}
_REFUSED = {
    "TOPIC_AUTHORIZATION_FAILED",
    "GROUP_AUTHORIZATION_FAILED",
    "CLUSTER_AUTHORIZATION_FAILED",
    "SASL_AUTHENTICATION_FAILED",
    "INVALID_SESSION_TIMEOUT",
    "TOPIC_EXCEPTION",
    "MSG_SIZE_TOO_LARGE",
    "INVALID_MSG",
    "POLICY_VIOLATION",
    "_AUTHENTICATION",
    "_SSL",
}
"""What waiting does not cure; everything else may go by."""
STALE = {
    "ILLEGAL_GENERATION",
    "UNKNOWN_MEMBER_ID",
    "REBALANCE_IN_PROGRESS",
    "FENCED_INSTANCE_ID",
    "_ASSIGNMENT_LOST",
}
"""A commit came too late: the partitions are another member's now, or soon."""


def exception(error: KafkaError) -> BusUnavailable | BusRefused:
    """The exception for an error, which is counted by its name."""
    ERRORS.inc(backend="kafka", error_type=error.name())
    text = f"Kafka: {error.str()} ({error.name()})"
    if error.name() in _UNKNOWN:
        return UnknownTopic(text)
    if error.name() in _REFUSED or error.fatal():
        return BusRefused(text)
    return BusUnavailable(text)
