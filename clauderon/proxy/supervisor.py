"""The former name of `daemon.supervisor`, by which a script or unit of the last release may still start it."""

import sys

from clauderon.proxy.daemon.supervisor import main

if __name__ == "__main__":
    sys.exit(main())
