// The model as a drawing, from top to bottom, each node coloured by what becomes of it.

import { el } from "/static/dom.js";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 216, HEIGHT = 30;
const MOST_NODES = 1500, PATIENCE = 20000;

function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Nodes that only make constants say nothing about the data's way: those with no ancestor that stays.
function withoutConstants(graph, fateOf) {
  const above = graph.nodes.map(() => []);
  for (const [from, to] of graph.edges) above[to].push(from);
  const quiet = graph.nodes.map((node) => ["folded", "prologue"].includes(fateOf(node)));
  const hidden = quiet.map(() => false);
  for (let node = 0; node < quiet.length; node += 1) { // the nodes come in an order of running
    hidden[node] = quiet[node] && above[node].every((other) => hidden[other]);
  }
  const place = new Map();
  graph.nodes.forEach((_, node) => { if (!hidden[node]) place.set(node, place.size); });
  return {
    nodes: graph.nodes.filter((_, node) => !hidden[node]),
    edges: graph.edges.filter(([from, to]) => place.has(from) && place.has(to)).map((edge) => edge.map((node) => place.get(node))),
    left: graph.nodes.length - place.size,
  };
}

function layOut(count, edges) {
  const worker = new Worker("/static/graph_worker.js");
  return new Promise((resolve, reject) => {
    setTimeout(() => reject(new Error("too long")), PATIENCE);
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = (event) => { event.preventDefault(); reject(new Error("too large")); };
    worker.postMessage({ count, edges, width: WIDTH, height: HEIGHT });
  }).finally(() => worker.terminate());
}

// A smooth line through points: corners become curves.
function path(points) {
  const middle = ([x1, y1], [x2, y2]) => `${(x1 + x2) / 2},${(y1 + y2) / 2}`;
  let d = `M${points[0].join()}`;
  for (let i = 1; i < points.length - 1; i += 1) {
    const end = i === points.length - 2 ? points[i + 1].join() : middle(points[i], points[i + 1]);
    d += ` Q${points[i].join()} ${end}`;
  }
  return points.length === 2 ? `${d} L${points[1].join()}` : d;
}

function shorten(text, most) {
  return text.length <= most ? text : `…${text.slice(1 - most)}`;
}

function draw({ width, height, places, lines }, nodes, fates, onChoose) {
  const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  for (const points of lines) drawing.append(svg("path", { d: path(points) }));
  nodes.forEach((node, index) => {
    const [x, y] = places[index];
    const { fate } = fates[index];
    const group = svg("g", { transform: `translate(${x - WIDTH / 2},${y - HEIGHT / 2})`, "data-fate": fate });
    const op = node.op.slice(0, 22);
    const room = Math.floor((WIDTH - 26 - 8 * op.length) / 6.5); // characters, at the width of wide fonts
    const label = svg("text", { x: 10, y: 19 });
    label.append(svg("tspan", { class: "op" }, op));
    if (room > 3) label.append(svg("tspan", { class: "name", dx: 6 }, shorten(node.name, room)));
    group.append(svg("title", {}, `${node.name}\n${node.op}: ${fate}`), svg("rect", { width: WIDTH, height: HEIGHT, rx: 7 }), label);
    group.addEventListener("click", () => onChoose(index, group));
    drawing.append(group);
  });
  return drawing;
}

// The first node stands at the top; brings it into the middle as soon as the box has a width.
function centre(box, [x]) {
  const watch = new ResizeObserver(() => {
    if (!box.clientWidth) return;
    box.scrollLeft = x - box.clientWidth / 2;
    watch.disconnect();
  });
  watch.observe(box);
}

export function graphView(graph, nodes, onDrawn) {
  const known = new Map(nodes.map((node) => [node.node, node]));
  const of = (node) => known.get(node.name) || { fate: "unknown", detail: "" };
  const { nodes: kept, edges, left } = withoutConstants(graph, (node) => of(node).fate);
  const box = el("div", { class: "scroll graph", tabindex: 0, role: "img", "aria-label": "Graph of the model, each node coloured by what becomes of it; the table says the same" });
  const about = el("p", { class: "hint", role: "status" }, kept.length > MOST_NODES
    ? `${kept.length} nodes are too many to draw; the table lists them.`
    : "laying the graph out …");
  const hint = [
    graph.truncated ? "Only the beginning of the graph is drawn." : "",
    left ? `${left} nodes that only make constants or shapes are not drawn.` : "",
    "Click a node to read what becomes of it.",
  ].filter(Boolean).join(" ");
  const choose = (index, group) => {
    box.querySelectorAll(".picked").forEach((other) => other.classList.remove("picked"));
    group.classList.add("picked");
    const { fate, detail } = of(kept[index]);
    about.textContent = `${kept[index].name} (${kept[index].op}): ${fate}${detail ? `, ${detail}` : ""}`;
  };
  if (kept.length <= MOST_NODES) {
    layOut(kept.length, edges)
      .then((layout) => {
        box.replaceChildren(draw(layout, kept, kept.map(of), choose));
        centre(box, layout.places.reduce((top, place) => (place[1] < top[1] ? place : top)));
        about.textContent = hint;
        onDrawn();
      })
      .catch(() => {
        box.hidden = true;
        about.textContent = "The graph is too large to draw; the table lists its nodes.";
      });
  } else box.hidden = true;
  return el("div", {}, box, about);
}
