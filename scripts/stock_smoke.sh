#!/bin/sh
# The commands with PyTorch as its index serves it, with Triton, installed from a wheel and run outside the checkout.
#
#     sh scripts/stock_smoke.sh FOLDER [PYTHON]
#
# FOLDER/venv is made, or used again if it is there: 6 GB, about 3 minutes; then 5 minutes on 2 CPU cores. TORCH names
# another release than the newest that pyproject.toml allows: TORCH=torch==2.14.1 sh scripts/stock_smoke.sh FOLDER
set -eu
[ $# -ge 1 ] || { echo "stock_smoke: got no folder, allowed: sh scripts/stock_smoke.sh FOLDER [PYTHON]" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
python=${2:-python3}
checkout=$(cd "$(dirname "$0")/.." && pwd)
bin=$folder/venv/bin

[ -x "$bin/python" ] || "$python" -m venv "$folder/venv"
pip() { "$bin/pip" --quiet --disable-pip-version-check "$@"; }
allowed=$("$bin/python" -c 'import tomllib
needs = tomllib.load(open("'"$checkout"'/pyproject.toml", "rb"))["project"]["dependencies"]
print(next(each for each in needs if each.startswith("torch>")))')
pip install "${TORCH:-$allowed}"
"$bin/python" -c 'import triton' ||
    { echo "stock_smoke: got a PyTorch without Triton, allowed the index's; name a release in TORCH" >&2; exit 2; }
out=$(mktemp -d)
teach=
trap '[ -z "$teach" ] || kill "$teach" 2>/dev/null || true; rm -rf "$out"' EXIT
pip wheel --no-deps --wheel-dir "$out" "$checkout"
pip install "$out"/daml-*.whl pytest hypothesis
# Again, so that a folder that is used again gets this checkout's daml, too.
pip install --force-reinstall --no-deps "$out"/daml-*.whl
"$bin/python" -c 'import torch, triton; print(f"torch {torch.__version__}, triton {triton.__version__}")'

step() { echo "+ $*"; "$@" || { echo "stock_smoke: got exit status $?, allowed 0: $*" >&2; exit 1; }; }
cd "$checkout"
step "$bin/python" -m pytest -q -p no:cacheprovider tests/envs/test_processes.py
cd "$out"
step "$bin/daml" demo --quick --out demo
step "$bin/daml" evaluate --env reach --tasks 4 --trials 1
step "$bin/daml" collect --env reach --sets 4 --clips 1 --out data
step "$bin/daml" adapt --env reach --video "$(find data/clips -name '*.mp4' | head -n 1)" --out adapted
step "$bin/daml" train --env reach --quick --out run

# The page serves until it is stopped: it has to answer, and be there still after its first gradient.
echo "+ $bin/daml teach"
"$bin/daml" teach >teach.log 2>&1 &
teach=$!
page() { grep -o 'http://[^ ]*' teach.log | head -n 1; }
while [ -z "$(page)" ] && kill -0 "$teach"; do sleep 1; done
step "$bin/python" -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1]).read()' "$(page)"
sleep 20
step kill -0 "$teach"
echo "stock_smoke: all commands ended with exit status 0"
