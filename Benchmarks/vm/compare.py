"""Compares the contract VM with wasmkit and wasm3 on the programs beside this file, and prints the ratios of times.

usage: compare.py VM FOLDER    VM: the program `vm` of the benchmarks; FOLDER: the programs as .wasm

Each engine runs each program in turn, several rounds, so that what else the machine does hits all alike; of each the
shortest processor time counts. The VM meters gas, the others don't. wasmkit is a command: what it takes for a small argument is
subtracted. It must give the same result as the others, or nothing is printed.
"""

import os
import resource
import subprocess
import sys
import time

PROGRAMS = [("fib", 32, 1), ("sha256", 10_000, 1), ("sort", 120_000, 2), ("matrix", 160, 2)]
ROUNDS = 5


def ours(vm, path, argument):
    output = subprocess.run([vm, "run", path, str(argument), "--runs", "1"], check=True, capture_output=True, text=True)
    result, nanoseconds, _ = output.stdout.split()
    return int(result), int(nanoseconds) / 1e9


def children():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def wasmkit(path, argument):
    start = children()
    output = subprocess.run(
        ["wasmkit", "run", path, "run", f"i32:{argument}"], check=True, capture_output=True, text=True)
    seconds = children() - start
    value = int("".join(c for c in output.stdout.split("(")[-1] if c.isdigit() or c == "-"))
    return value - (1 << 32) if value >= 1 << 31 else value, seconds


def wasm3_function(path):
    import wasm3

    environment = wasm3.Environment()
    runtime = environment.new_runtime(1 << 20)
    with open(path, "rb") as file:
        runtime.load(environment.parse_module(file.read()))
    # The runtime must outlive the function.
    return runtime, runtime.find_function("run")


def main():
    vm, folder = sys.argv[1:]
    try:
        import wasm3  # noqa: F401
    except ImportError:
        sys.exit("wasm3 is missing: pip install pywasm3")
    print(f"{'':8} {'vm ms':>8} {'wasmkit':>8} {'wasm3':>8}   vm/wasmkit  vm/wasm3")
    ratios = []
    for name, argument, small in PROGRAMS:
        path = os.path.join(folder, name + ".wasm")
        best = {"vm": 1e9, "wasmkit": 1e9, "start": 1e9, "wasm3": 1e9}
        results = set()
        runtime, function = wasm3_function(path)
        for _ in range(ROUNDS):
            result, seconds = ours(vm, path, argument)
            results.add(result)
            best["vm"] = min(best["vm"], seconds)
            best["start"] = min(best["start"], wasmkit(path, small)[1])
            result, seconds = wasmkit(path, argument)
            results.add(result)
            best["wasmkit"] = min(best["wasmkit"], seconds)
            start = time.process_time()
            results.add(function(argument))
            best["wasm3"] = min(best["wasm3"], time.process_time() - start)
        if len(results) != 1:
            sys.exit(f"{name}: the engines disagree: {results}")
        kit = best["wasmkit"] - best["start"]
        ratios.append((best["vm"] / kit, best["vm"] / best["wasm3"]))
        print(
            f"{name:8} {best['vm'] * 1e3:8.1f} {kit * 1e3:8.1f} {best['wasm3'] * 1e3:8.1f}"
            f"   {ratios[-1][0]:10.2f}  {ratios[-1][1]:8.2f}")
    mean = [sum(column) / len(column) for column in zip(*ratios)]
    print(f"{'mean':8} {'':26}   {mean[0]:10.2f}  {mean[1]:8.2f}")


if __name__ == "__main__":
    main()
