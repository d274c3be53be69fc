# Shared by the scripts: how they speak and fail.
# Bold on a terminal alone: a log gets no escape sequences.
if [ -t 2 ]; then bold=$'\033[1m' plain=$'\033[0m'; else bold='' plain=''; fi
say() { printf '%s==> %s%s\n' "$bold" "$*" "$plain" >&2; }
fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}
usage() {
    printf 'error: %s\n' "$*" >&2
    exit 2
}

# Passes a build's output on, and makes its "[done/all] step" lines into one line that moves (on a terminal) or one for
# each tenth (in a log).
progress() {
    local line tenth last=-1 moving=''
    [ -t 2 ] && moving=yes
    while IFS= read -r line || [ -n "$line" ]; do
        if [[ $line =~ ^\[([0-9]+)/([0-9]+)\]\ (.*) ]]; then
            local done=${BASH_REMATCH[1]} all=${BASH_REMATCH[2]}
            [ "$all" -gt 0 ] || continue
            if [ -n "$moving" ]; then
                printf '\r\033[K    %3d %%  %s' $((done * 100 / all)) "${BASH_REMATCH[3]:0:60}" >&2
            elif tenth=$((done * 10 / all)); [ "$tenth" -ne "$last" ]; then
                last=$tenth
                printf '    %3d %%, %d s\n' $((done * 100 / all)) "$SECONDS" >&2
            fi
        else
            [ -z "$moving" ] || printf '\r\033[K' >&2
            printf '%s\n' "$line" >&2
        fi
    done
    [ -z "$moving" ] || printf '\r\033[K' >&2
}

# Builds a product of Benchmarks in the product's build folder, since it consists of the same modules: on its own it would
# build them all again. SwiftPM takes the folder's build description for that of the package at hand, whichever it was
# written for, so each of the two packages has to find none.
build_benchmark() {
    rm -f .build/*/release/description.json
    local status=0
    swift build -c release --package-path Benchmarks --scratch-path .build --product "$1" >&2 || status=$?
    rm -f .build/*/release/description.json
    return $status
}
