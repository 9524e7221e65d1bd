"""What a worker process of the newer version loads: `proofs.newer:application`."""

from penstock.engine import runner, scripts, settler
from proofs import versions

settler.__dict__.update(PARK_SECONDS=versions.PARKED)
runner.__dict__.update(VERSION=versions.NEWER)
scripts.__dict__.update(
    SERVER_CLOCK=scripts.SERVER_CLOCK + "-- every script as a newer version may send it\n"
)
application = versions.newer
