#!/bin/sh
# Make or reuse a virtual environment: tools/setup.sh FOLDER REQUIREMENTS
# It is made anew only when REQUIREMENTS differs from the copy that the last finished installation left in FOLDER.
set -eu
folder=$1
requirements=$2

if cmp -s "$requirements" "$folder/requirements.txt"; then
    exit 0
fi

case "$(uname -s)" in
    Darwin) supported="3.12 3.11 3.10" ;;
    *) supported="3.12 3.11 3.13" ;;
esac

# A command of that name is not enough: version managers install stand-ins that only print an error.
runs_as() {
    found=$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null) && [ "$found" = "$2" ]
}

chosen=
for version in $supported; do
    for candidate in ${PYTHON:-"python$version" python3 python}; do
        if runs_as "$candidate" "$version"; then
            chosen=$candidate
            break 2
        fi
    done
done
if [ -z "$chosen" ]; then
    echo "No supported Python was found: this project needs one of Python $supported." >&2
    echo "Found: ${PYTHON:-python3} is $("${PYTHON:-python3}" --version 2>&1 | head -n 1)." >&2
    echo "Install one (python.org, Homebrew, apt, conda), or name it: make PYTHON=/path/to/python3.12 ..." >&2
    exit 1
fi

echo "Setting up $folder with Python $found. This is done once and takes a few minutes."
rm -rf "$folder"
if ! "$chosen" -m venv "$folder"; then
    rm -rf "$folder"
    echo "$chosen cannot make a virtual environment. On Debian and Ubuntu: apt install python$found-venv" >&2
    exit 1
fi
"$folder/bin/python" -m pip install --quiet --disable-pip-version-check -r "$requirements"
cp "$requirements" "$folder/requirements.txt"
