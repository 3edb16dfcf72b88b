// Events: a table of the layers, and a map of which layer fires when.

import { el, table } from "/static/dom.js";
import { amount, figure, percent } from "/static/numbers.js";

const SVG = "http://www.w3.org/2000/svg";
const MOST_COLUMNS = 64, ROOM = 740, CELL = 20, NAMES = 210, TOP = 22;

function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function columns(steps) { // pairs [first, end) of timesteps; several share a column where there are many
  const width = Math.ceil(steps / MOST_COLUMNS);
  return Array.from({ length: Math.ceil(steps / width) }, (_, i) => [i * width, Math.min((i + 1) * width, steps)]);
}

function mean(values, [first, end]) {
  return values.slice(first, end).reduce((sum, value) => sum + value, 0) / (end - first);
}

function shorten(text) {
  return text.length <= 28 ? text : `…${text.slice(-27)}`;
}

export function eventMap(layers) {
  const shared = columns(layers[0].events_by_timestep.length);
  const cells = layers.map((layer) => shared.map((span) => mean(layer.events_by_timestep, span)));
  const most = Math.max(...cells.flat(), 1e-9);
  const wide = Math.min(52, Math.max(11, Math.floor(ROOM / shared.length)));
  const [width, height] = [NAMES + shared.length * wide + 8, TOP + layers.length * CELL + 4];
  const map = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  shared.forEach(([first, end], column) => {
    const label = svg("text", { x: NAMES + (column + 0.5) * wide, y: 14, class: "tick" }, String(first + 1));
    if (column % Math.ceil(shared.length / 16) === 0) map.append(label);
  });
  layers.forEach((layer, row) => {
    map.append(svg("text", { x: NAMES - 8, y: TOP + row * CELL + 14, class: "layer" }, shorten(layer.name)));
    shared.forEach(([first, end], column) => {
      const value = cells[row][column];
      const at = { x: NAMES + column * wide + 1, y: TOP + row * CELL + 1, width: wide - 2, height: CELL - 2, rx: 3 };
      const cell = svg("rect", { ...at, "fill-opacity": value > 0 ? (0.08 + 0.92 * Math.sqrt(value / most)).toFixed(3) : 0 });
      const steps = end - first > 1 ? `${first + 1} to ${end}` : `${end}`;
      cell.append(svg("title", {}, `${layer.name}, t = ${steps}: ${figure(value)} events per neuron`));
      map.append(cell);
    });
  });
  const box = el("div", { class: "scroll map", tabindex: 0, role: "img", "aria-label": "Events per neuron by layer and timestep; the table below has the sums" }, map);
  const about = `Events per neuron by layer and timestep; more ink is more (square root), at most ${figure(most)}.`;
  return el("figure", {}, box, el("figcaption", { class: "hint" }, about));
}

export function layerTable(layers) {
  const most = Math.max(...layers.map((layer) => layer.events_per_neuron), 1e-9);
  const rows = layers.map((layer) => {
    const events = el("span", { class: "bar" }, figure(layer.events_per_neuron));
    events.style.setProperty("--share", layer.events_per_neuron / most);
    return [
      layer.name, layer.kind, amount(layer.neurons), events, percent(layer.negative_share), figure(layer.threshold_mean),
      amount(layer.synaptic_operations), percent(layer.at_bound),
    ];
  });
  const heads = ["layer", "kind", "neurons", "events per neuron", "negative", "threshold", "SOPs arriving", "at bound"];
  return table(heads, rows, { numeric: 6, label: "Layers" });
}
