// Accuracy (or agreement) against timesteps, with the ANN and the PTQ row as lines.

import { percent } from "/static/numbers.js";

const state = { plot: null, observer: null };

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

export function drawCurve(box, account) {
  if (state.plot) state.plot.destroy();
  if (state.observer) state.observer.disconnect();
  const points = account.curve;
  const accurate = points.every((point) => point.accuracy !== null);
  const classified = points.every((point) => point.agreement !== null);
  const of = (row) => (accurate ? row.accuracy : classified ? row.agreement : 1 - row.relative_error);
  const what = accurate ? "accuracy" : classified ? "agreement with the ANN" : "1 − relative error";
  const ann = accurate ? account.ann.accuracy : 1;
  const constant = (value) => points.map(() => value);
  const line = (label, name, dash) => ({
    label, stroke: () => colour(name), width: 2, dash, value: (_, v) => percent(v), points: { show: !dash, size: 7 },
  });
  const axis = { stroke: () => colour("--soft"), grid: { stroke: () => colour("--grid"), width: 1 }, ticks: { show: false } };
  const options = {
    width: box.clientWidth || 600,
    height: 300,
    scales: { x: { time: false, distr: 3, log: 2 }, y: { range: (_, low, high) => [Math.max(0, low - 0.03), Math.min(1.005, high + 0.03)] } },
    axes: [
      { ...axis, label: "timesteps T", splits: () => points.map((p) => p.timesteps), values: (_, v) => v.map(String) },
      { ...axis, size: 60, values: (_, v) => v.map((share) => `${Math.round(share * 1000) / 10} %`) },
    ],
    series: [
      { label: "T" },
      line(`SNN ${what}`, "--snn"),
      line("PTQ", "--ptq", [8, 4]),
      line("ANN", "--ann", [2, 4]),
    ],
  };
  const data = [points.map((p) => p.timesteps), points.map(of), constant(of(account.ptq)), constant(ann)];
  state.plot = new window.uPlot(options, data, box);
  state.observer = new ResizeObserver(() => state.plot.setSize({ width: box.clientWidth, height: 300 }));
  state.observer.observe(box);
  return what;
}

export function redrawCurve() {
  if (state.plot) state.plot.redraw(false, true);
}
