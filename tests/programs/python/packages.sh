# A wheel is built and installed into a virtual environment; pytest runs against it.
set -e
export PIP_NO_INDEX=1 PIP_DISABLE_PIP_VERSION_CHECK=1
python3 -m pip wheel --no-build-isolation --no-deps -q -w /tmp/wheels ./package
python3 -m venv /tmp/environment
/tmp/environment/bin/pip install -q /tmp/wheels/greeter-1.2.3-py3-none-any.whl
/tmp/environment/bin/greet wheel
/tmp/environment/bin/pip list 2>/dev/null | grep greeter
/tmp/environment/bin/pip uninstall -q -y greeter
! /tmp/environment/bin/python -c 'import greeter' 2>/dev/null
cd package
code=0
PYTHONPATH=src python3 -m pytest -q -p no:cacheprovider tests >/tmp/out || code=$?
tail -1 /tmp/out | sed 's/ in .*//'
exit $((code - 1))
