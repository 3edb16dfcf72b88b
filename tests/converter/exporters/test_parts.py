from __future__ import annotations

import numpy as np
import pytest
from tests import nets
from tests.converter.exporters.exporting import converted
from tests.converter.exporters.nir_runner import windows

from onnx2snn.converter.exporters.draw import draw
from onnx2snn.converter.exporters.fit_kernel import Windows, fit_kernel, without_groups
from onnx2snn.converter.exporters.flows import per_channel, selection, whole
from onnx2snn.converter.exporters.lint import GENERIC, SPECK, lint
from onnx2snn.converter.exporters.profiles import NIR
from onnx2snn.converter.unit_spikes.normalise import normalise_to_unit_spikes


def convolve(x, weight, stride, pads, dilation, outputs):
    """A convolution with its own padding in front and as much as it takes behind."""
    padded = np.pad(x, [(0, 0), (0, 0), *[(p, 64) for p in pads]])
    zeros = (0,) * len(stride)
    views = windows(padded, weight.shape[2:], stride, zeros, dilation)
    kept = (slice(None), slice(None), *[slice(n) for n in outputs])
    taps = tuple(range(views.ndim - len(stride), views.ndim))
    inner = tuple(range(2, weight.ndim))
    y = np.moveaxis(np.tensordot(views, weight, axes=((1, *taps), (1, *inner))), -1, 1)
    return y[kept]


@pytest.mark.parametrize("seed", range(30))
def test_a_fitted_kernel_computes_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    kernel, stride, dilation = (tuple(rng.integers(1, n, 2).tolist()) for n in (4, 4, 3))
    front, back = rng.integers(0, 3, 2).tolist(), rng.integers(0, 3, 2).tolist()
    inputs = (9, 11)
    outputs = tuple(
        (n + a + b - d * (k - 1) - 1) // s + 1
        for n, a, b, d, k, s in zip(inputs, front, back, dilation, kernel, stride, strict=True)
    )
    weight = rng.normal(size=(2, 3, *kernel))
    x = rng.normal(size=(2, 3, *inputs))
    area = Windows(inputs, outputs, kernel, stride, tuple(front), dilation)
    fitted = fit_kernel(weight, area)
    if fitted is None:
        assert 1 in stride
        return
    grown, padding, dilations = fitted.weight, fitted.padding, fitted.dilation
    assert len(set(grown.shape[2:])) == 1
    sizes = tuple(
        (n + 2 * p - d * (k - 1) - 1) // s + 1
        for n, p, d, k, s in zip(inputs, padding, dilations, grown.shape[2:], stride, strict=True)
    )
    assert sizes == outputs
    wanted = convolve(x, weight, stride, front, dilation, outputs)
    np.testing.assert_allclose(convolve(x, grown, stride, padding, dilations, outputs), wanted)


def test_groups_become_blocks() -> None:
    weight = np.arange(1.0, 9.0).reshape(4, 2, 1, 1)
    dense = without_groups(weight, 2)[:, :, 0, 0]
    np.testing.assert_array_equal(dense, [[1, 2, 0, 0], [3, 4, 0, 0], [0, 0, 5, 6], [0, 0, 7, 8]])


def test_selections() -> None:
    term = whole("part", (3, 4, 6))
    every = selection(term, (3, 4, 6))
    assert every is not None
    assert every.is_dense
    picked = term.index[:, [2, 0]][:, :, ::2, ::2]
    some = selection(type(term)("part", picked, term.factor), (3, 4, 6))
    assert some is not None
    assert (some.channels.tolist(), some.stride) == ([2, 0], (2, 2))
    turned = term.index.transpose(0, 1, 3, 2)
    assert selection(type(term)("part", turned, term.factor), (3, 4, 6)) is None


def test_factors_per_channel() -> None:
    column = np.array([1.0, 2.0]).reshape(1, 2, 1, 1)
    np.testing.assert_array_equal(per_channel(column, 4, 2), [1, 2])
    assert per_channel(np.arange(4.0).reshape(1, 1, 2, 2), 4, 2) is None


def test_lint_tells_what_speck_cannot_hold() -> None:
    network = draw(normalise_to_unit_spikes(converted(nets.RESIDUAL)), NIR)
    told = [str(finding) for finding in lint(network, SPECK)]
    assert any("biases" in text for text in told)
    assert not list(lint(network, GENERIC))
    wide = [str(f) for f in lint(draw(normalise_to_unit_spikes(converted(WIDE)), NIR), SPECK)]
    for words in ("kernel of 17", "stride (3, 3)", "input side of 130", "no core holds"):
        assert any(words in text for text in wide), words


WIDE = """
wide (float[N,1,130,130] x) => (float[N,64,38,38] y) <float[64,1,17,17] w, float[64] b>
{
    [conv] h = Conv <strides = [3, 3]> (x, w, b)
    [relu] y = Relu (h)
}
"""
