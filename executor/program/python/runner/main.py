"""Runs a job file as the guest of an executor: main.py FILE NAME.

FILE is the job file, and NAME its name in errors. Needs Python 3.8 and its standard library.
"""

import sys

from bucketmill_runner import session

if __name__ == "__main__":
    session.run(sys.argv[1], sys.argv[2])
