// One spiking network: downloads, numbers, and views of its report.

import { getJson, getText, problemOf } from "/static/api.js";
import { curveView, forgetCurves } from "/static/curve.js";
import { byId, downloadLink, el, fill, findingList, problemText, show, table, tabs } from "/static/dom.js";
import { energyView } from "/static/energy.js";
import { eventMap, layerTable } from "/static/events.js";
import { exportsView } from "/static/exports.js";
import { fatesView } from "/static/fates.js";
import { after, amount, figure, joules, percent, size } from "/static/numbers.js";

export async function showResult(snnId, job, wanted) {
  const snn = await getJson(`/v1/snns/${snnId}`);
  const report = await getJson(`${snn.links.report}?format=json`);
  const graph = await getJson(`/v1/models/${snn.model_id}/graph`).catch(() => null); // the model may be gone
  if (!wanted()) return;
  forgetCurves();
  show("result-section");
  fill(
    "downloads",
    downloadLink(`Download ${snn.name}`, snn.links.content, { class: "button primary" }),
    el("span", { class: "hint" }, size(snn.size)),
    downloadLink("Report, HTML", `${snn.links.report}?download=true`, { class: "button" }),
    downloadLink("Report, JSON", `${snn.links.report}?format=json&download=true`, { class: "button" }),
  );
  fill("tiles", ...tiles(snn.summary, report.evaluation).map(([value, label, kind]) =>
    el("div", kind ? { class: kind } : {}, el("dt", {}, label), el("dd", {}, value))));
  byId("honest").textContent = honest(snn.summary);
  show("details");
  fill("details", tabs("result", views(snn, report, graph, job)));
}

function tiles(summary, measured) {
  const rows = [];
  if (measured) {
    const last = measured.curve[measured.curve.length - 1];
    if (last.accuracy !== null) {
      rows.push([percent(last.accuracy), `SNN accuracy at ${after(last.timesteps)}`, "snn"]);
      rows.push([percent(measured.ptq.accuracy), "PTQ accuracy", "ptq"], [percent(measured.ann.accuracy), "ANN accuracy", "ann"]);
    }
    if (last.agreement !== null) rows.push([percent(last.agreement), `agreement with the ANN at ${after(last.timesteps)}`]);
    else rows.push([figure(last.relative_error), `relative error at ${after(last.timesteps)}`]);
    rows.push(measured.silent_at === null ? ["not yet", `silent within ${after(last.timesteps)}`] : [`t = ${measured.silent_at}`, "silent from"]);
    rows.push([figure(last.events_per_neuron), `events per neuron, ${amount(last.events_per_sample)} per sample`]);
    const energy = measured.energy[0];
    if (energy) rows.push([joules(energy.snn), `estimated energy per sample; ANN ${joules(energy.ann)}`]);
  }
  rows.push([amount(summary.neurons), `neurons in ${summary.neuron_layers} layers`]);
  rows.push([after(summary.timesteps), "timesteps unless told otherwise"]);
  rows.push([String(summary.analog_ops), "analog operators left"]);
  return rows;
}

function honest(summary) {
  const source = summary.calibration.kind === "data"
    ? `calibrated on ${summary.calibration.samples} samples`
    : "calibrated on noise: no data were given";
  const measured = summary.evaluation
    ? `; measured on ${summary.evaluation.samples} samples of the ${summary.evaluation.measured_on}`
    : "; not measured";
  const digits = summary.alphabet === "graded" ? `, k = ${summary.digits}` : "";
  const stimulus = summary.stimulus === null ? "S = T" : `S = ${summary.stimulus}`;
  return `Preset ${summary.preset}: ${summary.alphabet} spikes${digits}, ${stimulus}; input: ${summary.input_coding}; ${source}${measured}.`;
}

function views(snn, { manifest, evaluation }, graph, job) {
  const made = [];
  if (evaluation) {
    made.push(["Timesteps", el("div", {}, curveView(evaluation), curveTable(evaluation))]);
    if (evaluation.layers.length) {
      made.push(["Events", el("div", {}, eventMap(evaluation.layers), layerTable(evaluation.layers))]);
    }
    if (evaluation.energy.length) made.push(["Energy", energyView(evaluation.energy)]);
  }
  made.push(["Nodes", fatesView(manifest.nodes, graph, "nodes")]);
  if (manifest.findings.length) made.push([`Findings (${manifest.findings.length})`, findingList(manifest.findings)]);
  made.push(["Other formats", exportsView(snn)], ["Log", logView(job)]);
  return made;
}

function curveTable(account) {
  const rows = account.curve.map((p) => [
    String(p.timesteps), percent(p.accuracy), percent(p.agreement), figure(p.relative_error), figure(p.events_per_neuron),
    amount(p.events_per_sample), amount(p.synaptic_operations),
  ]);
  rows.push(["PTQ", percent(account.ptq.accuracy), percent(account.ptq.agreement), figure(account.ptq.relative_error), "", "", ""]);
  rows.push(["ANN", percent(account.ann.accuracy), "", "", "", "", `${amount(account.ann.macs_per_sample)} MACs`]);
  const heads = ["T", "accuracy", "agreement", "relative error", "events per neuron", "events per sample", "synaptic operations"];
  const measured = heads.map((_, column) => rows.some((row) => !["", "–"].includes(row[column])));
  const kept = (row) => row.filter((_, column) => measured[column]);
  return table(kept(heads), rows.map(kept), { numeric: kept(heads).length - 1, label: "Against timesteps" });
}

export function logView(job) {
  const text = el("pre", { class: "scroll", tabindex: 0 }, "reading …");
  const view = el("div", {}, text);
  getText(job.links.logs)
    .then((log) => { text.textContent = log; })
    .catch((error) => view.replaceChildren(...problemText(problemOf(error))));
  return view;
}
