# Starts the services for a script and stops them when it ends. Source it; it expects $bin and $work.

pids=()

# Starts a program in the background: start NAME ARGUMENTS... ; its address is then in $address.
start() {
    local name=$1
    shift
    "$bin/$name" "$@" >"$work/$name.out" 2>"$work/$name.log" &
    local pid=$!
    pids+=("$pid")
    for _ in $(seq 1 200); do
        address=$(sed -n '1s/^listening //p' "$work/$name.out")
        [ -n "$address" ] && return 0
        if ! kill -0 "$pid" 2>/dev/null; then break; fi
        sleep 0.05
    done
    echo "$name did not start:" >&2
    cat "$work/$name.log" >&2
    return 1
}

# Stops everything, the last started first, and waits for it.
stop_all() {
    local index
    for ((index = ${#pids[@]} - 1; index >= 0; index--)); do
        kill -TERM "${pids[index]}" 2>/dev/null || true
    done
    for pid in "${pids[@]}"; do wait "$pid" 2>/dev/null || true; done
    pids=()
}
