"""Edgeproof models in PyTorch: from their text form, and from the safetensors files that jobs make.

python3 scripts/pytorch_model.py evaluate MODEL.safetensors DATA    prints the accuracy on MNIST's test images
python3 scripts/pytorch_model.py describe MODEL.yaml                prints the modules
"""

import csv
import gzip
import os
import struct
import sys
from collections import OrderedDict

import numpy
import torch
import yaml
from torch import nn


class ScaledTanh(nn.Module):
    def forward(self, x):
        return 1.7159 * torch.tanh(x * (2 / 3))


ACTIVATIONS = {"relu": nn.ReLU, "tanh": nn.Tanh, "sigmoid": nn.Sigmoid, "scaled-tanh": ScaledTanh}


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


def network(text):
    """The model of a YAML text as an nn.Sequential whose parameters have the names of Edgeproof's."""
    spec = yaml.safe_load(text)
    shape = spec["input"] if isinstance(spec["input"], list) else [spec["input"]]
    modules = OrderedDict()
    for layer in spec["layers"]:
        if layer == "cut":
            continue
        kind, sizes = (layer, {}) if isinstance(layer, str) else next(iter(layer.items()))
        name = str(sizes.get("name", len(modules)))
        if kind == "convolution":
            module = nn.Conv2d(
                shape[0], sizes["filters"], pair(sizes["kernel"]), stride=pair(sizes.get("stride", 1)),
                padding="same" if sizes.get("padding") == "same" else 0)
        elif kind in ("average-pooling", "maximum-pooling"):
            pooling = nn.AvgPool2d if kind == "average-pooling" else nn.MaxPool2d
            module = pooling(pair(sizes["size"]), stride=pair(sizes.get("stride", sizes["size"])))
        elif kind == "dense":
            module = nn.Linear(shape[0], sizes["units"])
        elif kind == "flatten":
            module = nn.Flatten()
        else:
            module = ACTIVATIONS[kind]()
        modules[name] = module
        with torch.no_grad():
            shape = list(module(torch.zeros([1] + shape)).shape[1:])
    return nn.Sequential(modules), spec


def load(path):
    """The model in a job's file, its weights in place."""
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(path, framework="pt") as file:
        text = file.metadata()["edgeproof.model"]
    model, spec = network(text)
    model.load_state_dict(load_file(path))
    return model.eval(), spec


def mnist(folder):
    """MNIST's test images as bytes [N, 28, 28], and their labels, from IDX files (plain or gzip) or CSV."""
    names = sorted(os.listdir(folder))
    if "mnist_test.csv" in names:
        with open(os.path.join(folder, "mnist_test.csv"), newline="") as file:
            rows = [row for row in csv.reader(file) if row and row[0].isdigit()]
        values = numpy.array(rows, dtype=numpy.uint8)
        return values[:, 1:].reshape(-1, 28, 28), values[:, 0]

    def read(prefix):
        name = next(name for name in names if name.startswith(prefix) and "ubyte" in name)
        with (gzip.open if name.endswith(".gz") else open)(os.path.join(folder, name), "rb") as file:
            data = file.read()
        rank = data[3]
        shape = struct.unpack(f">{rank}I", data[4 : 4 + 4 * rank])
        return numpy.frombuffer(data, dtype=numpy.uint8, offset=4 + 4 * rank).reshape(shape)

    return read("t10k-images"), read("t10k-labels")


def evaluate(path, folder):
    model, spec = load(path)
    images, labels = mnist(folder)
    border = (spec["input"][1] - 28) // 2
    padded = numpy.pad(images, ((0, 0), (border, border), (border, border)))
    x = (torch.from_numpy(padded.astype(numpy.float32)) / 255 - 0.1307) / 0.3081
    correct = 0
    with torch.no_grad():
        for start in range(0, len(labels), 500):
            logits = model(x[start : start + 500].reshape([-1] + spec["input"]))
            correct += int((logits.argmax(1).numpy() == labels[start : start + 500]).sum())
    return correct / len(labels)


if __name__ == "__main__":
    if len(sys.argv) == 4 and sys.argv[1] == "evaluate":
        print(evaluate(sys.argv[2], sys.argv[3]))
    elif len(sys.argv) == 3 and sys.argv[1] == "describe":
        with open(sys.argv[2]) as file:
            print(network(file.read())[0])
    else:
        sys.exit(__doc__)
