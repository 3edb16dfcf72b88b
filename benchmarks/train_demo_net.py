"""Train the network and cut the data that ``onnx2snn demo`` uses.

    pip install 'onnx2snn[train]'
    python benchmarks/train_demo_net.py

The data are scikit-learn's copy of the UCI ML hand-written digits (1797 grey images of 8 x 8
pixels). 30 % of them, stratified by class, are held out and never seen in training. The network
is a small residual CNN with batch normalisation. Its ONNX graph is written node by node, so it
holds real BatchNormalization nodes and none of an exporter's noise.

Written to ``cli/demo_data``: digits_cnn.onnx, digits.npz, digits_calibration.npz.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import Tensor, nn
from torch.nn import functional

DEMO_DATA = Path(__file__).resolve().parent.parent / "cli" / "demo_data"
SEED = 0
HELD_OUT = 0.3
CALIBRATION_IMAGES = 200
EPOCHS = 60
BATCH = 64
PEAK_LEARNING_RATE = 0.01
WEIGHT_DECAY = 1e-3
OPSET = 17
IR_VERSION = 8  # the IR version that came with opset 17


class DigitsNet(nn.Module):
    """Convolution, residual convolution, max-pool, convolution, dense layer: 4.5 k parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 8, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(8)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(8)
        self.conv3 = nn.Conv2d(8, 16, 3, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(16)
        self.dense = nn.Linear(16 * 4 * 4, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits, (N, 10), of images, (N, 1, 8, 8) in [0, 1]."""
        x = functional.relu(self.bn1(self.conv1(image)))
        x = functional.relu(self.bn2(self.conv2(x)) + x)
        x = functional.max_pool2d(x, 2)
        x = functional.relu(self.bn3(self.conv3(x)))
        return self.dense(x.flatten(1))


def train(images: np.ndarray, labels: np.ndarray) -> DigitsNet:
    """Train on images, float32 (N, 1, 8, 8), and return the network in inference mode."""
    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    net = DigitsNet()
    optimizer = torch.optim.AdamW(net.parameters(), weight_decay=WEIGHT_DECAY)
    batches = -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, PEAK_LEARNING_RATE, total_steps=EPOCHS * batches
    )
    x, y = torch.from_numpy(images), torch.from_numpy(labels)
    for _ in range(EPOCHS):
        for index in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            functional.cross_entropy(net(x[index]), y[index]).backward()
            optimizer.step()
            schedule.step()
    return net.eval()


def accuracy(net: DigitsNet, images: np.ndarray, labels: np.ndarray) -> float:
    """Share of images whose largest logit is that of their label."""
    with torch.inference_mode():
        predicted = net(torch.from_numpy(images)).argmax(1).numpy()
    return float((predicted == labels).mean())


def to_onnx(net: DigitsNet, doc_string: str) -> onnx.ModelProto:
    """Write the trained network as an ONNX model with a dynamic batch axis ``N``."""

    def conv(name: str, source: str, target: str) -> onnx.NodeProto:
        return helper.make_node(
            "Conv",
            [source, f"{name}.weight"],
            [target],
            name,
            kernel_shape=[3, 3],
            pads=[1, 1, 1, 1],
        )

    def batch_norm(name: str, source: str, target: str) -> onnx.NodeProto:
        parameters = ("weight", "bias", "running_mean", "running_var")
        inputs = [source, *(f"{name}.{parameter}" for parameter in parameters)]
        epsilon = getattr(net, name).eps
        return helper.make_node("BatchNormalization", inputs, [target], name, epsilon=epsilon)

    nodes = [
        conv("conv1", "image", "conv1_out"),
        batch_norm("bn1", "conv1_out", "bn1_out"),
        helper.make_node("Relu", ["bn1_out"], ["relu1_out"], "relu1"),
        conv("conv2", "relu1_out", "conv2_out"),
        batch_norm("bn2", "conv2_out", "bn2_out"),
        helper.make_node("Add", ["bn2_out", "relu1_out"], ["residual_out"], "residual"),
        helper.make_node("Relu", ["residual_out"], ["relu2_out"], "relu2"),
        helper.make_node(
            "MaxPool", ["relu2_out"], ["pool_out"], "pool", kernel_shape=[2, 2], strides=[2, 2]
        ),
        conv("conv3", "pool_out", "conv3_out"),
        batch_norm("bn3", "conv3_out", "bn3_out"),
        helper.make_node("Relu", ["bn3_out"], ["relu3_out"], "relu3"),
        helper.make_node("Flatten", ["relu3_out"], ["flatten_out"], "flatten", axis=1),
        helper.make_node(
            "Gemm", ["flatten_out", "dense.weight", "dense.bias"], ["logits"], "dense", transB=1
        ),
    ]
    initializers = [
        numpy_helper.from_array(value.numpy(), name)
        for name, value in net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    ]
    graph = helper.make_graph(
        nodes,
        "digits_cnn",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 1, 8, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", 10])],
        initializers,
    )
    model = helper.make_model(
        graph,
        doc_string=doc_string,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid("", OPSET)],
        producer_name="onnx2snn benchmarks/train_demo_net.py",
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def main() -> None:
    """Train, measure and write the three files."""
    digits = load_digits()
    images = (digits.images / 16).astype(np.float32)[:, None]
    labels = digits.target.astype(np.int64)
    x_train, x_test, y_train, y_test = train_test_split(
        images, labels, test_size=HELD_OUT, random_state=SEED, stratify=labels
    )
    net = train(x_train, y_train)
    measured = accuracy(net, x_test, y_test)
    doc_string = (
        f"Hand-written digits (UCI ML digits through scikit-learn, pixels / 16). Trained by "
        f"benchmarks/train_demo_net.py, seed {SEED}, on {len(x_train)} images. Top-1 accuracy on "
        f"the {len(x_test)} held-out images: {measured:.2%}."
    )
    DEMO_DATA.mkdir(parents=True, exist_ok=True)
    onnx.save(to_onnx(net, doc_string), DEMO_DATA / "digits_cnn.onnx")
    np.savez_compressed(DEMO_DATA / "digits.npz", image=x_test, labels=y_test)
    calibration = x_train[:CALIBRATION_IMAGES]
    np.savez_compressed(DEMO_DATA / "digits_calibration.npz", image=calibration)
    print(f"accuracy: training {accuracy(net, x_train, y_train):.2%}, held out {measured:.2%}")


if __name__ == "__main__":
    main()
