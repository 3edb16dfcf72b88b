// Lays a graph out beside the page, so that the page stays quick, and can be ended when it takes too long.

importScripts("/static/vendor/dagre-3.1.3.min.js");

onmessage = ({ data: { count, edges, width, height } }) => {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ nodesep: 16, edgesep: 10, ranksep: 22, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (let node = 0; node < count; node += 1) graph.setNode(String(node), { width, height });
  for (const [from, to] of edges) graph.setEdge(String(from), String(to));
  dagre.layout(graph);
  const places = Array.from({ length: count }, (_, node) => graph.node(String(node)));
  postMessage({
    width: graph.graph().width,
    height: graph.graph().height,
    places: places.map(({ x, y }) => [x, y]),
    lines: graph.edges().map((edge) => graph.edge(edge).points.map(({ x, y }) => [x, y])),
  });
};
