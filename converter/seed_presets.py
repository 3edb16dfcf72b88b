"""The methods of the literature as presets: compositions of the knobs, named after the methods.

They reproduce; the presets of :mod:`onnx2snn.converter.presets` are what to use. docs/seeds.md has
what each was measured at.
"""

from __future__ import annotations

from typing import Any

from onnx2snn.converter.presets import Preset


def _rate(name: str, summary: str, source: str, equation: str, **knobs: Any) -> Preset:
    """Return a preset of binary rate coding (S = T) with soft reset."""
    common: dict[str, Any] = {
        "timesteps": 64,
        "stimulus": None,
        "alphabet": "binary",
        "levels": None,
        "headroom": 1,
        "pooling": "increment",
        "input_digits": 8,
    }
    return Preset(
        name=f"seed:{name}",
        summary=summary,
        source=source,
        equation=equation,
        **{**common, **knobs},
    )


def _signed(name: str, summary: str, source: str, equation: str, **knobs: Any) -> Preset:
    """Return a preset of ternary rate coding (S = T)."""
    return _rate(name, summary, source, equation, **{"alphabet": "ternary", **knobs})


SEED_PRESETS: tuple[Preset, ...] = (
    _rate(
        "max-norm",
        "rate coding, thresholds at the greatest activation of each layer",
        "Diehl et al. 2015; soft reset Rueckauer et al. 2017",
        "theta_l = max a_l; v -= theta s",
        threshold_rule="maximum",
        granularity="layer",
        initial_potential=0.0,
        input_coding="direct",
    ),
    _rate(
        "p99.9-norm",
        "rate coding, thresholds at the 99.9 % percentile of each layer",
        "Rueckauer et al. 2017, sec. 2.2.1",
        "theta_l = P_99.9(a_l > 0)",
        threshold_rule="percentile",
        granularity="layer",
        initial_potential=0.0,
        input_coding="direct",
    ),
    _rate(
        "hard-reset",
        "as max-norm, with reset to zero, for comparison",
        "Diehl et al. 2015",
        "v[t] = u[t] (1 - s[t])",
        threshold_rule="maximum",
        granularity="layer",
        initial_potential=0.0,
        input_coding="direct",
        reset="hard",
    ),
    _rate(
        "threshold-relu-shift",
        "activations clipped at a threshold, shift theta/(2T) as initial potential",
        "Deng and Gu, ICLR 2021; Bu et al., AAAI 2022",
        "a = clip(z, 0, theta); v[0] = theta / 2",
        timesteps=32,
        threshold_rule="threshold-relu",
        granularity="layer",
    ),
    _rate(
        "threshold-relu-bias",
        "the same with the shift theta/(2T) as a current at each timestep",
        "Deng and Gu, ICLR 2021",
        "c += theta / (2 T), v[0] = 0",
        timesteps=32,
        threshold_rule="threshold-relu",
        granularity="layer",
        shift="bias",
    ),
    _rate(
        "clipfloor-if",
        "ClipFloor (QCFS) activations to IF neurons with v_0 = theta / 2",
        "Bu et al., ICLR 2022",
        "a = lambda clip(floor(z L / lambda + 1/2) / L, 0, 1); theta = lambda",
        timesteps=8,
        threshold_rule="mse",
    ),
    _signed(
        "clipfloor-mbif",
        "ClipFloor to mBIF: negative spikes with memory",
        "Wang et al., IJCAI 2022 (SNM)",
        "s = +1 iff u >= theta; -1 iff u < -theta and m > 0; m += s",
        timesteps=8,
        threshold_rule="mse",
        negative_threshold=-1.0,
    ),
    _signed(
        "leaky-clipfloor-bif",
        "LeakyClipFloor to BIF: signed spikes without memory (signed activations only)",
        "Rybka 2025 (talk); Yu et al. 2022",
        "s = +1 iff u >= theta; -1 iff u < 0; v[0] = theta / 2",
        timesteps=8,
        threshold_rule="mse",
        negative_threshold=0.0,
        memory="none",
    ),
    _signed(
        "double-threshold",
        "LeakyReLU (sthLeakyReLU) to double thresholds v_p : v_n = alpha, one range per layer",
        "Yu et al. 2022; He et al. 2024",
        "s = +1 iff m >= v_p; -1 iff m <= -v_n; v_n = v_p / alpha",
        timesteps=8,
        threshold_rule="threshold-relu",
        granularity="layer",
        initial_potential=0.0,
        negative_threshold=-1.0,
        memory="none",
    ),
    Preset(
        name="seed:prolonged",
        summary="binary spikes, simulation prolonged; neurons below threshold switch off",
        source="Rybka 2025 (talk)",
        equation="x[t] = 0 for t > S; off for good iff u[t] < theta for some t > S",
        timesteps=32,
        stimulus=16,
        alphabet="binary",
        levels=16,
        headroom=1,
        threshold_rule="mse",
        switch_off=True,
        pooling="increment",
        input_digits=8,
    ),
    Preset(
        name="seed:st-bif",
        summary="ternary spikes with bounded memory, input once; exactly the quantised ANN at rest",
        source="You et al., ICML 2024 (SpikeZIP-TF)",
        equation="v[0] = theta/2; +1 iff v >= theta, n < n_max; -1 iff v < 0, n > n_min",
        timesteps=64,
        stimulus=1,
        alphabet="ternary",
        levels=15,
        headroom=1,
        threshold_rule="mse",
        pooling="increment",
        input_digits=8,
    ),
    _rate(
        "local-threshold-balancing",
        "rate coding, thresholds that climb by what they clip",
        "Bu et al., CVPR 2025",
        "theta += 2 eta E[(a - theta) [a > theta]]; v[0] = theta / 2",
        threshold_rule="local",
        pooling="membrane",
    ),
    _rate(
        "threshold-iteration",
        "rate coding, thresholds at the fixed point of the quantisation error",
        "DCGS, Li et al., ICML 2025; H-MT",
        "theta <- L E[a k] / E[k^2], k = clip(floor(a L / theta + 1/2), 0, L)",
        threshold_rule="iteration",
    ),
    _rate(
        "mse-bias",
        "rate coding, MSE thresholds, sequential bias correction",
        "Li et al., ICML 2021 (SNNC, light pipeline)",
        "theta = argmin E[(a - q(a))^2]; c += mean a_ann - mean a_snn",
        threshold_rule="mse",
        bias_correction=True,
        corrected_at="timesteps",
    ),
    _rate(
        "ftbc",
        "rate coding, MSE thresholds, a bias for each timestep",
        "Wu et al., ECCV 2024",
        "b[t] += alpha (mean a_ann - mean s[t])",
        timesteps=16,
        threshold_rule="mse",
        bias_correction=True,
        corrected_at="timesteps",
        temporal_bias=True,
    ),
    Preset(
        name="seed:hold",
        summary="layer-synchronous: each layer waits for the one before; exact with binary spikes",
        source="layer-synchronous schedules, as in COS and PASCAL",
        equation="s_l[t] = 0 for t <= hold depth(l)",
        timesteps=256,
        stimulus=8,
        alphabet="binary",
        levels=8,
        headroom=1,
        threshold_rule="mse",
        hold=8,
        pooling="increment",
        input_digits=8,
    ),
    _rate(
        "poisson",
        "rate coding of an input of Poisson spikes (seeded)",
        "Diehl et al. 2015; He et al. 2024, eq. 17",
        "s[t] = [c x > R[t]], R uniform",
        threshold_rule="percentile",
        granularity="layer",
        input_coding="poisson",
    ),
    Preset(
        name="seed:latency",
        summary="input as one spike per value, the earlier the greater; ternary network behind it",
        source="He et al. 2024, sec. 3; time-to-first-spike coding",
        equation="one spike at t = W - round(x (W - 1))",
        timesteps=64,
        stimulus=1,
        alphabet="ternary",
        levels=31,
        headroom=1,
        threshold_rule="mse",
        pooling="increment",
        input_coding="latency",
    ),
    _rate(
        "spike-count",
        "rate coding, answers by the number of output spikes",
        "He et al. 2024, sec. 3",
        "class = argmax of the spikes of the output neurons",
        threshold_rule="mse",
        read_out="spike-count",
    ),
)
