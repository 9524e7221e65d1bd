"""Names of span attributes: OpenTelemetry semantic conventions 1.44, and Penstock's own.

Copied, not imported: the messaging conventions are in development and their Python constants may vanish
in a minor release. A test compares these with the package where it still has them. What the
conventions do not know lives under `messaging.penstock`, as they ask of system-specific names.
"""

SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"

MESSAGING_SYSTEM = "messaging.system"
MESSAGING_OPERATION_NAME = "messaging.operation.name"
MESSAGING_OPERATION_TYPE = "messaging.operation.type"
MESSAGING_DESTINATION_NAME = "messaging.destination.name"
MESSAGING_BATCH_MESSAGE_COUNT = "messaging.batch.message_count"
MESSAGING_MESSAGE_ID = "messaging.message.id"
MESSAGING_CLIENT_ID = "messaging.client.id"

HTTP_REQUEST_METHOD = "http.request.method"
HTTP_REQUEST_METHOD_ORIGINAL = "http.request.method_original"
HTTP_RESPONSE_STATUS_CODE = "http.response.status_code"
HTTP_ROUTE = "http.route"
URL_PATH = "url.path"
URL_SCHEME = "url.scheme"
NETWORK_PROTOCOL_VERSION = "network.protocol.version"

ERROR_TYPE = "error.type"
ERROR_TYPE_OTHER = "_OTHER"
"""The conventions' word for an error that has no better name."""

PENSTOCK_JOB = "messaging.penstock.job"
PENSTOCK_MODULE = "messaging.penstock.module"
PENSTOCK_ATTEMPT = "messaging.penstock.attempt"
PENSTOCK_MAX_ATTEMPTS = "messaging.penstock.max_attempts"
PENSTOCK_PRIORITY = "messaging.penstock.priority"
PENSTOCK_TENANT = "messaging.penstock.tenant"
PENSTOCK_OUTCOME = "messaging.penstock.outcome"
PENSTOCK_USER = "messaging.penstock.user"
PENSTOCK_CRASHES = "messaging.penstock.crashes"
"""Workers that died while they held the job."""
PENSTOCK_FINGERPRINT = "messaging.penstock.fingerprint"
"""Equal for equal failures."""
PENSTOCK_SUBMITTED_TRACE = "messaging.penstock.submitted_trace_id"
"""On the root of an attempt that is a trace of its own: the trace of its submission, to search by."""
PENSTOCK_REFUSED = "messaging.penstock.refused"
"""Settlements of a flush that came too late."""
PENSTOCK_SECONDS_PER_JOB = "messaging.penstock.seconds_per_job"
"""Each job's share of a flush."""
PENSTOCK_WORKERS = "messaging.penstock.workers"
"""Workers whose leases were ended."""
PENSTOCK_DEAD = "messaging.penstock.dead"
"""Jobs that crashed too many workers."""

PENSTOCK_KEPT = "penstock.kept"
"""On spans made at the end of an attempt that was not sampled: why they were."""
