"""The former name of `daemon.worker`, by which a supervisor of the last release may still start it."""

import sys

from clauderon.proxy.daemon.worker import main

if __name__ == "__main__":
    sys.exit(main())
