#!/usr/bin/env bash
# Run the tests, installing first what is missing:
#
#     bash recipes/test.sh                    the tests that need no network, some minutes
#     bash recipes/test.sh --all              the slow ones too
#     bash recipes/test.sh --python 3.9       on another Python, in .venv-3.9
#     bash recipes/test.sh tests/test_x.py -k name    anything else goes to pytest
#
# Tests on the released weights and on photographs look for them in ETINYNET_TEST_WEIGHTS and
# ETINYNET_TEST_DATA, and are skipped where these are not set.
. "$(dirname "${BASH_SOURCE[0]}")/env.sh"

export OMP_NUM_THREADS=1 # tests are repeatable at one thread, and many small nets are not faster with more
spread=(-n auto --dist worksteal) # over the cores; one file is through before they have started
for argument in "$@"; do
    case $argument in -n* | --pdb | *.py*) spread=() ;; esac
done
exec python -m pytest ${spread[@]+"${spread[@]}"} "$@"
