"""Real processes, and a server of one's own for those that need one."""

from support.process_fixtures import start as start
from support.process_fixtures import valkey as valkey
