// The model as a drawing: layers from top to bottom, each node coloured by what becomes of it.

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 168, HEIGHT = 40, GAP_X = 20, GAP_Y = 26, MARGIN = 12;
const MOST_NODES = 2000;

function svg(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

// Longest path from the inputs: every edge points downwards.
function levels(count, edges) {
  const level = new Array(count).fill(0);
  const next = Array.from({ length: count }, () => []);
  const waiting = new Array(count).fill(0);
  for (const [from, to] of edges) {
    next[from].push(to);
    waiting[to] += 1;
  }
  const ready = [];
  waiting.forEach((number, node) => { if (number === 0) ready.push(node); });
  while (ready.length) {
    const node = ready.pop();
    for (const to of next[node]) {
      level[to] = Math.max(level[to], level[node] + 1);
      waiting[to] -= 1;
      if (waiting[to] === 0) ready.push(to);
    }
  }
  return level;
}

// Rows of nodes, each row ordered by the mean place of the nodes above.
function arrange(count, edges) {
  const level = levels(count, edges);
  const rows = [];
  level.forEach((row, node) => { (rows[row] ||= []).push(node); });
  const above = Array.from({ length: count }, () => []);
  for (const [from, to] of edges) above[to].push(from);
  const place = new Array(count).fill(0);
  for (const row of rows) {
    if (!row) continue;
    const mean = (node) => above[node].length
      ? above[node].reduce((sum, other) => sum + place[other], 0) / above[node].length
      : 0;
    row.sort((a, b) => mean(a) - mean(b) || a - b);
    row.forEach((node, index) => { place[node] = index - (row.length - 1) / 2; });
  }
  return { level, place, rows };
}

function shorten(text, most) {
  return text.length <= most ? text : `${text.slice(0, most - 1)}…`;
}

export function drawGraph(graph) {
  const nodes = graph.nodes.slice(0, MOST_NODES);
  const edges = graph.edges.filter(([from, to]) => from < nodes.length && to < nodes.length);
  const { level, place, rows } = arrange(nodes.length, edges);
  const widest = Math.max(1, ...rows.map((row) => (row ? row.length : 0)));
  const width = widest * (WIDTH + GAP_X) + 2 * MARGIN;
  const height = rows.length * (HEIGHT + GAP_Y) + 2 * MARGIN;
  const x = (node) => width / 2 + place[node] * (WIDTH + GAP_X);
  const y = (node) => MARGIN + level[node] * (HEIGHT + GAP_Y);
  const drawing = svg("svg", { width, height, viewBox: `0 0 ${width} ${height}` });
  for (const [from, to] of edges) {
    const [x1, y1, x2, y2] = [x(from), y(from) + HEIGHT, x(to), y(to)];
    const far = level[to] - level[from] > 1;
    const bend = far ? x1 + (x2 - x1) / 2 + WIDTH * 0.62 : (x1 + x2) / 2;
    const middle = (y1 + y2) / 2;
    const curve = far
      ? `M${x1},${y1} C${bend},${y1 + 20} ${bend},${y1 + 20} ${bend},${middle} S${x2},${y2 - 20} ${x2},${y2}`
      : `M${x1},${y1} C${x1},${middle} ${x2},${middle} ${x2},${y2}`;
    drawing.append(svg("path", { d: curve }));
  }
  nodes.forEach((node, index) => {
    const group = svg("g", { transform: `translate(${x(index) - WIDTH / 2},${y(index)})` });
    const box = svg("rect", { width: WIDTH, height: HEIGHT, rx: 7 });
    box.style.fill = `var(--fate-${node.fate}, var(--fate-unknown))`;
    group.append(
      svg("title", {}, `${node.name}\n${node.op}: ${node.fate}\n${node.detail}`),
      box,
      svg("text", { x: 9, y: 16, class: "op" }, shorten(node.op, 22)),
      svg("text", { x: 9, y: 32, class: "fate" }, shorten(`${node.fate} · ${node.name}`, 27)),
    );
    drawing.append(group);
  });
  return drawing;
}
