"""Training steps of Edgeproof's models beside the same in PyTorch; scripts/bench-tensor runs this.

python3 Benchmarks/tensor.py PROGRAM [--threads N ...] [--rounds N] [--batch N] [--json]
python3 Benchmarks/tensor.py --steps MODEL THREADS STEPS BATCH MOMENTUM      PyTorch's steps alone, as JSON

The two programs alternate, one model and one number of threads at a time, so that what else the machine does meets both.
Of each turn its fastest step counts; the table has the median over the turns, and as noise their spread.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
# Model, momentum (each paper's own), timed steps in a turn.
MODELS = [("lenet5", 0.9, 60), ("fog-mlp", 0, 20), ("fog-cnn", 0, 3)]


def pytorch_steps(model_file, threads, steps, batch, momentum):
    sys.path.insert(0, os.path.join(ROOT, "scripts"))
    import torch
    from pytorch_model import network

    torch.set_num_threads(threads)
    torch.manual_seed(1)
    with open(model_file) as file:
        model, spec = network(file.read())
    optimiser = torch.optim.SGD(model.parameters(), lr=0.001, momentum=momentum)
    loss_function = torch.nn.CrossEntropyLoss()
    x = torch.rand([batch] + spec["input"]) * 2 - 1
    labels = torch.arange(batch) % spec["classes"]
    wall, processor = [], []
    for step in range(-max(2, steps // 10), steps):
        start, used = time.perf_counter(), time.process_time()
        optimiser.zero_grad(set_to_none=True)
        loss = loss_function(model(x), labels)
        loss.backward()
        optimiser.step()
        loss.item()
        if step >= 0:
            wall.append((time.perf_counter() - start) * 1e3)
            processor.append((time.process_time() - used) * 1e3)
    return {"set": f"PyTorch {torch.__version__}", "wall": wall, "processor": processor}


def run(command, threads):
    # OpenBLAS has threads of its own, which torch.set_num_threads does not bound.
    limits = {name: str(threads) for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    return json.loads(
        subprocess.run(command, check=True, capture_output=True, text=True, env={**os.environ, **limits}).stdout)


def progress(text):
    if sys.stderr.isatty():
        print(f"\r{text:60}\r", end="", file=sys.stderr, flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    rows = []
    for threads in options.threads:
        for name, momentum, steps in MODELS:
            file = os.path.join(ROOT, "Models", f"{name}.yaml")
            turns = {"ours": [], "theirs": []}
            for turn in range(options.rounds):
                progress(f"{name}, {threads} thread(s), turn {turn + 1} of {options.rounds}")
                sizes = [str(threads), str(steps), str(options.batch), str(momentum)]
                turns["ours"].append(
                    run([
                        options.program, "--model", file, "--threads", sizes[0], "--steps", sizes[1],
                        "--batch", sizes[2], "--momentum", sizes[3],
                    ], threads))
                turns["theirs"].append(run([sys.executable, os.path.abspath(__file__), "--steps", file] + sizes, threads))
            row = {"model": name, "threads": threads, "set": turns["ours"][0]["set"], "pytorch": turns["theirs"][0]["set"]}
            for side, results in turns.items():
                for kind in ("wall", "processor"):
                    fastest = [min(result[kind]) for result in results]
                    row[f"{side}_{kind}"] = statistics.median(fastest)
                    row[f"{side}_{kind}_noise"] = (max(fastest) - min(fastest)) / statistics.median(fastest)
            for kind in ("wall", "processor"):
                row[f"ratio_{kind}"] = row[f"ours_{kind}"] / row[f"theirs_{kind}"]
            rows.append(row)
    progress("")
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"Forward, backward and step, batches of {options.batch}: milliseconds, median of {options.rounds} turns, of each "
          f"its fastest step; {rows[0]['set']} and {rows[0]['pytorch']}. Load before: {os.getloadavg()[0]:.1f}.\n")
    print("| model | threads | Edgeproof | PyTorch | ratio | noise | processor time: Edgeproof | PyTorch | ratio |")
    print("|---|---|---|---|---|---|---|---|---|")
    for row in rows:
        noise = max(row["ours_wall_noise"], row["theirs_wall_noise"])
        print(
            f"| {row['model']} | {row['threads']} | {row['ours_wall']:.2f} | {row['theirs_wall']:.2f} "
            f"| {row['ratio_wall']:.2f} | {noise:.0%} | {row['ours_processor']:.2f} | {row['theirs_processor']:.2f} "
            f"| {row['ratio_processor']:.2f} |")


if __name__ == "__main__":
    if len(sys.argv) == 7 and sys.argv[1] == "--steps":
        file, threads, steps, batch, momentum = sys.argv[2:]
        print(json.dumps(pytorch_steps(file, int(threads), int(steps), int(batch), float(momentum))))
    else:
        main()
