"""What a worker process of the older version loads: `proofs.older:application`."""

from penstock.engine import settler
from proofs import versions

settler.__dict__.update(PARK_SECONDS=versions.PARKED)
application = versions.older
