// Accuracy (or agreement) against timesteps, with the ANN and the PTQ row as lines.

import { el } from "/static/dom.js";
import { percent } from "/static/numbers.js";

const HEIGHT = 300;
const drawn = new Set();
const probe = el("span", { hidden: true });
document.body.append(probe);

function colour(name) { // a canvas wants the colour itself, not the name it has in the style sheet
  probe.style.color = `var(${name})`;
  return getComputedStyle(probe).color;
}

function series(account) {
  const points = account.curve;
  if (points.every((point) => point.accuracy !== null)) {
    return ["accuracy", (row) => row.accuracy, account.ann.accuracy];
  }
  if (points.every((point) => point.agreement !== null)) return ["agreement with the ANN", (row) => row.agreement, 1];
  return ["1 − relative error", (row) => 1 - row.relative_error, 1];
}

function options(width, ticks, what) {
  const line = (label, name, width, more) => ({ label, stroke: () => colour(name), width, value: (_, v) => percent(v), ...more });
  const level = { points: { show: false } };
  const axis = {
    stroke: () => colour("--soft"), font: "12px system-ui, sans-serif", ticks: { show: false },
    grid: { stroke: () => colour("--grid"), width: 1 },
  };
  return {
    width,
    height: HEIGHT,
    cursor: { drag: { x: false, y: false } },
    scales: {
      x: { time: false, distr: 3, log: 2 },
      y: { range: (_, low, high) => [Math.max(0, low - 0.03), Math.min(1.005, high + 0.03)] },
    },
    axes: [
      { ...axis, label: "timesteps T", labelFont: "12px system-ui, sans-serif", labelSize: 20, size: 32, splits: () => ticks, values: (_, v) => v.map(String) },
      { ...axis, size: 58, values: (_, v) => v.map((share) => `${Math.round(share * 1000) / 10} %`) },
    ],
    series: [
      { label: "T", value: (_, v) => (v === null ? "" : String(v)) },
      line("ANN", "--ann", 1.6, level),
      line("PTQ", "--ptq", 1.8, { ...level, dash: [7, 7] }),
      line(`SNN ${what}`, "--snn", 2.4, { points: { show: true, size: 7 } }),
    ],
  };
}

export function curveView(account) {
  const [what, of, ann] = series(account);
  const points = account.curve;
  const ticks = points.map((point) => point.timesteps);
  const constant = (value) => points.map(() => value);
  const box = el("div", { class: "curve", role: "img", "aria-label": `${what} against timesteps; the table below has the numbers` });
  const data = [ticks, constant(ann), constant(of(account.ptq)), points.map(of)];
  let plot = null;
  const last = () => queueMicrotask(() => plot.setLegend({ idx: ticks.length - 1 }));
  new ResizeObserver(() => { // also drawn here for the first time: before, the width is not known
    if (!box.clientWidth) return;
    if (plot) plot.setSize({ width: box.clientWidth, height: HEIGHT });
    else {
      plot = new window.uPlot(options(box.clientWidth, ticks, what), data, box);
      drawn.add(plot);
      plot.over.addEventListener("mouseleave", last);
    }
    last();
  }).observe(box);
  return box;
}

export function forgetCurves() {
  drawn.forEach((plot) => plot.destroy());
  drawn.clear();
}

export function redrawCurves() {
  drawn.forEach((plot) => plot.redraw(false, true));
}
