# Runs modules of CPython's regression suite, each in a process of its own; see README.md. Arguments after "full" go to the suite.
list=$PWD/quick.txt
if [ "$1" = full ]; then list=$PWD/modules.txt; shift; fi
export HOME=/root LANG=C.UTF-8
ignored=$PWD/expected-failures.txt
cd /tmp && exec python3 -m test -j1 --timeout 240 --ignorefile "$ignored" "$@" $(cat "$list")
