"""Real processes, and a server of one's own."""

from support.process_fixtures import start as start
from support.process_fixtures import valkey as valkey
