// What becomes of each node: counts, graph and table of one model.

import { el, table, tabs } from "/static/dom.js";
import { graphView } from "/static/graph.js";

const WORDS = {
  input: "encodes the input", encoder: "turns analog values into spikes", neuron: "becomes neurons",
  linear: "synapses and other linear operators", "spiking-pool": "spiking max-pool", lift: "stays analog",
  bilinear: "product of two streams, analog", "read-out": "runs on decoded values", prologue: "computes shapes",
  folded: "folded into others", refused: "has no conversion",
};
const MOST_ROWS = 5000;

export function fateBadge(fate) {
  return el("span", { class: "badge", "data-fate": fate }, fate);
}

// nodes: [{node, op, fate, detail}]; graph: {nodes: [{name, op}], edges}, or null where there is none.
export function fatesView(nodes, graph, label) {
  const present = Object.keys(WORDS).filter((fate) => nodes.some((node) => node.fate === fate));
  const chosen = { fate: "" };
  const legend = el("ul", { class: "legend", "aria-label": "Kinds of treatment; press one to single it out" });
  const shown = el("div", {});
  const single = () => {
    shown.classList.toggle("single", chosen.fate !== "");
    shown.querySelectorAll("[data-row-fate], g[data-fate]").forEach((part) => {
      part.classList.toggle("chosen", (part.dataset.rowFate || part.dataset.fate) === chosen.fate);
    });
    legend.querySelectorAll("button").forEach((button) => {
      button.setAttribute("aria-pressed", String(button.dataset.fate === chosen.fate));
    });
  };
  legend.append(...present.map((fate) => {
    const count = nodes.filter((node) => node.fate === fate).length;
    const choose = () => { chosen.fate = chosen.fate === fate ? "" : fate; single(); };
    return el("li", {}, el("button", { type: "button", class: "plain", "data-fate": fate, "aria-pressed": "false", onclick: choose },
      el("span", { class: "swatch", "data-fate": fate }), el("b", {}, count.toLocaleString("en")), ` ${fate}`, el("small", {}, WORDS[fate])));
  }));
  const listed = nodes.slice(0, MOST_ROWS);
  const list = table(["node", "operator", "fate", "treatment"], listed.map((n) => [n.node, n.op, fateBadge(n.fate), n.detail]),
    { label: "What becomes of each node" });
  list.classList.add("nodes");
  list.querySelectorAll("tbody tr").forEach((row, index) => { row.dataset.rowFate = listed[index].fate; });
  if (nodes.length > MOST_ROWS) list.append(el("p", { class: "hint" }, `The first ${MOST_ROWS} of ${nodes.length} nodes.`));
  const views = [["Table", list]];
  if (graph && graph.nodes.length) views.unshift(["Graph", graphView(graph, nodes, single)]);
  shown.append(tabs(label, views));
  return el("div", { class: "fates" }, legend, shown);
}
