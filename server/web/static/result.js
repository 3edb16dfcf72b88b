// One spiking network: downloads, numbers, curve, layers.

import { getJson } from "/static/api.js";
import { drawCurve } from "/static/curve.js";
import { el, fill, show, table } from "/static/dom.js";
import { figure, joules, percent, size } from "/static/numbers.js";

export async function showResult(snnId) {
  const snn = await getJson(`/v1/snns/${snnId}`);
  show("result-section");
  document.getElementById("result-title").textContent = `Spiking network ${snn.name}`;
  const link = (text, href, extra = {}) => el("a", { href, "data-download": "", ...extra }, text);
  fill(
    "downloads",
    link(`Download ${snn.name} (${size(snn.size)})`, snn.links.content, { class: "primary" }),
    link("Report, HTML", `${snn.links.report}?download=true`),
    link("Report, JSON", `${snn.links.report}?format=json&download=true`),
  );
  const account = snn.summary.evaluation ? await getJson(snn.links.curve) : null;
  fill("tiles", ...tiles(snn.summary, account).map(([value, label]) => el("div", {}, el("dt", {}, label), el("dd", {}, value))));
  document.getElementById("honest").textContent = honest(snn.summary);
  show("curve-box", account !== null);
  if (account) showAccount(account);
}

function tiles(summary, account) {
  const rows = [];
  const measured = summary.evaluation;
  if (measured && account) {
    if (measured.snn_accuracy !== null) {
      rows.push([percent(measured.snn_accuracy), `SNN accuracy, T = ${measured.timesteps}`]);
      rows.push([percent(measured.ptq_accuracy), "PTQ accuracy"], [percent(measured.ann_accuracy), "ANN accuracy"]);
    }
    if (measured.agreement !== null) rows.push([percent(measured.agreement), `agreement with the ANN, T = ${measured.timesteps}`]);
    rows.push([figure(measured.events_per_sample), "events per sample"]);
    rows.push([measured.silent_at === null ? "not silent" : `t = ${measured.silent_at}`, "silent from"]);
    const energy = account.energy[0];
    if (energy) rows.push([joules(energy.snn), `estimated energy per sample (${energy.name}); ANN ${joules(energy.ann)}`]);
  }
  rows.push([`T = ${summary.timesteps}`, "default timesteps"], [figure(summary.neurons, 6), "neurons"]);
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
  return `Preset ${summary.preset}, ${summary.alphabet} spikes${digits}, input: ${summary.input_coding}; ${source}${measured}.`;
}

function showAccount(account) {
  const what = drawCurve(document.getElementById("curve"), account);
  document.getElementById("curve-title").textContent = `${what[0].toUpperCase()}${what.slice(1)} against timesteps`;
  const rows = account.curve.map((p) => [
    `T = ${p.timesteps}`, percent(p.accuracy), percent(p.agreement), figure(p.relative_error), figure(p.events_per_sample),
    figure(p.synaptic_operations),
  ]);
  rows.push(["PTQ", percent(account.ptq.accuracy), percent(account.ptq.agreement), figure(account.ptq.relative_error), "", ""]);
  rows.push(["ANN", percent(account.ann.accuracy), "", "", "", `${figure(account.ann.macs_per_sample)} MACs`]);
  fill("curve-table", table(["", "accuracy", "agreement", "rel. error", "events", "synaptic operations"], rows, 5));
  const layers = account.layers.map((l) => [
    l.name, l.kind, figure(l.neurons, 6), figure(l.events_per_neuron), percent(l.negative_share), figure(l.threshold_mean),
    figure(l.synaptic_operations), percent(l.at_bound),
  ]);
  const heads = ["layer", "kind", "neurons", "events/neuron", "negative", "threshold", "SOPs in", "at bound"];
  fill("layers", table(heads, layers, 6));
}
