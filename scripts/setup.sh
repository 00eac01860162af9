#!/bin/sh
# Makes the Python environment in the folder given, and installs what headless OpenGL needs where that is allowed.
set -eu
venv=$1
python=${PYTHON:-python3}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    { echo "daml: needs Python 3.11 or newer, got $("$python" --version); set PYTHON=/path/to/python3" >&2; exit 2; }

packages="libegl1 libgl1-mesa-dri libopengl0"
has_opengl() { ldconfig -p | grep -q 'libEGL\.so\.1' && ldconfig -p | grep -q 'libOpenGL\.so\.0' &&
    { ls /usr/lib/*/dri/*_dri.so /usr/lib64/dri/*_dri.so /usr/share/glvnd/egl_vendor.d/*.json 2>/dev/null | grep -q .; }; }
if [ "$(uname)" = Linux ] && ! has_opengl; then
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "installing $packages (headless OpenGL)"
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq $packages >/dev/null
    else
        echo "daml: headless OpenGL is missing; as root: apt-get install $packages" >&2
        exit 2
    fi
fi

echo "making the Python environment in $venv (about 2 minutes)"
"$python" -m venv "$venv"
# A PyTorch that lies on disk where pip looks (find-links) is taken first, whichever build it is: the CPU build suffices.
# Where none lies on disk pip takes the index's, which is the one for CUDA, of several gigabytes.
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-index --no-deps torch 2>/dev/null || true
"$venv/bin/pip" install --quiet --disable-pip-version-check --editable '.[dev]'
