# For scripts that use PyTorch: installs Debian's packages where they are missing and defines `python`, the interpreter
# that has them. PyPI's torch would bring gigabytes of CUDA libraries.
packages=(python3-torch python3-numpy python3-yaml libopenblas0-pthread)
missing=()
for package in "${packages[@]}"; do
    dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
done
if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" = 0 ] || fail "PyTorch is missing: as root, run apt-get install --no-install-recommends ${missing[*]}"
    say "installing ${missing[*]}"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >&2
fi
if [ ! -d .demo/python/safetensors ]; then
    say "downloading safetensors (from PyPI)"
    python3 -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all: --target .demo/python safetensors==0.4.5 >&2 ||
        fail "the package safetensors could not be downloaded"
fi
# Debian's interpreter, whatever else is first in the path.
python() { PYTHONPATH="$PWD/.demo/python" /usr/bin/python3 "$@"; }
