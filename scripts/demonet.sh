# Shared by the scripts that look at a chain with something on it: a copy of what scripts/demo left, run again.
# Sets `node`, the API's address; what was started and copied goes with the script.
demo_net() {
    local bin=.build/release home
    [ -x "$bin/chaind" ] || fail "no programs in $bin: scripts/setup builds them"
    [ -f .demo/report.json ] || fail "there is no .demo/report.json: scripts/demo makes a chain with a finished job on it"
    home=$(mktemp -d)
    cp -r .demo/net "$home/net"
    "$bin/chaind" devnet --masternodes 4 --home "$home/net" >"$home/out" 2>&1 </dev/null &
    demo_net_pid=$! demo_net_home=$home
    trap 'kill "$demo_net_pid" 2>/dev/null || true; wait "$demo_net_pid" 2>/dev/null || true; rm -rf "$demo_net_home"' EXIT
    for _ in $(seq 300); do
        grep -q '^ready' "$home/out" && break
        kill -0 "$demo_net_pid" 2>/dev/null || { cat "$home/out" >&2; fail "the demo's network did not start"; }
        sleep 0.2
    done
    grep -q '^ready' "$home/out" || { cat "$home/out" >&2; fail "the demo's network was not ready within a minute"; }
    node=$(sed -n "s/^export EDGEPROOF_NODE='\([^,']*\).*/\1/p" "$home/out")
}
