#!/bin/sh
# Make or reuse a virtual environment: tools/setup.sh FOLDER REQUIREMENTS, of which a complete FOLDER holds a copy.
set -eu
cmp -s "$2" "$1/requirements.txt" && exit 0
[ "$(uname -s)" = Darwin ] && supported="3.12 3.11 3.10" || supported="3.12 3.11 3.13"
for version in $supported; do
    for python in ${PYTHON:-"python$version" python3 python}; do # by its answer: some commands only print an error
        found=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) || found=
        [ "$found" != "$version" ] || break 2
    done
done
if [ "$found" != "$version" ]; then
    echo "No supported Python was found: this project needs one of Python $supported." >&2
    echo "${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1 | head -n 1). Install a supported one, or name it:" >&2
    echo "make PYTHON=/path/to/python3.12 run" >&2
    exit 1
fi
echo "Setting up $1 with Python $version, once: about 2 GB, in a minute from a cache and in several by download."
rm -rf "$1"
remedy="On Debian and Ubuntu: apt install python$version-venv"
"$python" -m venv "$1" || { rm -rf "$1"; echo "$python cannot make a virtual environment. $remedy" >&2; exit 1; }
pip="$1/bin/python -m pip --disable-pip-version-check install --quiet"
uv=$(command -v uv) || { $pip -c "$(dirname "$0")/../requirements-dev.txt" uv && uv="$1/bin/uv"; } # faster than pip
"$uv" pip install --quiet --compile-bytecode --python "$1/bin/python" -r "$2" || $pip -r "$2"
cp "$2" "$1/requirements.txt"
