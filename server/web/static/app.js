// The page: files, check, options, progress, result, history.

import { ApiProblem, download, follow, getJson, hasKey, postJson, upload, useKey } from "/static/api.js";
import { redrawCurve } from "/static/curve.js";
import { el, fateBadge, fill, findingText, problemText, show, table } from "/static/dom.js";
import { drawGraph } from "/static/graph.js";
import { size, when } from "/static/numbers.js";
import { showResult } from "/static/result.js";

const picked = { model: null, data: null, test: null };
const FATES = {
  linear: "synapses and other linear operators", neuron: "becomes neurons", "spiking-pool": "spiking max-pool",
  encoder: "encodes into spikes", input: "input", folded: "folded into others", lift: "stays analog",
  "read-out": "runs on decoded values", prologue: "computes shapes", refused: "no conversion",
};
let current = null;

const byId = (id) => document.getElementById(id);

function problemOf(error) {
  return error instanceof ApiProblem ? error.problem : { code: "page", detail: String(error) };
}

function setUpDrop(name, kind, path, arrived) {
  const drop = byId(`${kind}-drop`);
  const input = byId(`${kind}-file`);
  const label = drop.querySelector(".picked");
  const take = async (file) => {
    if (!file) return;
    drop.classList.remove("done", "bad");
    label.textContent = `uploading ${file.name} …`;
    try {
      picked[name] = await upload(path, file);
      label.textContent = `${picked[name].name}, ${size(picked[name].size)}`;
      drop.classList.add("done");
      await arrived(picked[name]);
    } catch (error) {
      picked[name] = null;
      drop.classList.add("bad");
      const told = problemOf(error);
      const first = (told.findings || [])[0];
      label.textContent = `${told.detail}${first ? `: ${first.message}` : ""}. ${told.remedy || ""}`;
    }
  };
  input.addEventListener("change", () => take(input.files[0]));
  drop.addEventListener("dragover", (event) => { event.preventDefault(); drop.classList.add("over"); });
  drop.addEventListener("dragleave", () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files[0]);
  });
}

async function checkModel(model, again = false) {
  show("check-section");
  if (!again) {
    show("options-section", false);
    fill("findings"); fill("graph"); fill("nodes"); fill("legend");
  }
  const verdict = byId("verdict");
  verdict.className = "";
  verdict.textContent = "checking …";
  try {
    const check = await postJson(`/v1/models/${model.id}:check`, { preset: chosenPreset() });
    verdict.textContent = check.convertible ? `${check.name} converts` : `${check.name} does not convert`;
    verdict.className = check.convertible ? "good" : "bad-text";
    fill("findings", ...check.findings.slice(0, 200).map((f) => el("li", { class: f.severity }, findingText(f))));
    const rows = check.nodes.map((n) => [n.node, n.op, fateBadge(n.fate), n.detail]);
    fill("nodes", table(["node", "operator", "fate", "treatment"], rows));
    const fates = Object.keys(FATES).filter((fate) => check.nodes.some((node) => node.fate === fate));
    fill("legend", ...fates.map((fate) => {
      const swatch = el("span", { class: "swatch" });
      swatch.style.background = `var(--fate-${fate})`;
      return el("li", {}, swatch, `${fate}: ${FATES[fate]}`);
    }));
    show("options-section", check.convertible);
    if (check.source) {
      const graph = await getJson(`/v1/models/${model.id}/graph`);
      fill("graph", drawGraph(graph));
    }
    if (!again) view(check.nodes.length > 0 && check.nodes.length < 400 ? "graph" : "nodes");
  } catch (error) {
    verdict.className = "bad-text";
    verdict.textContent = "the model cannot be checked";
    fill("findings", ...problemText(problemOf(error)));
  }
}

function view(which) {
  for (const name of ["graph", "nodes"]) {
    show(name, name === which);
    byId(`show-${name}`).setAttribute("aria-pressed", String(name === which));
  }
}

function chosenPreset() {
  return document.querySelector("#presets input:checked")?.value || "graded";
}

async function showPresets() {
  const presets = await getJson("/v1/presets");
  fill("presets", ...presets.map((preset, index) => {
    const input = el("input", { type: "radio", name: "preset", value: preset.name, checked: index === 0 });
    const steps = `T = ${preset.timesteps}, ${preset.alphabet}`;
    return el("label", {}, input, " ", el("strong", {}, preset.name), el("small", {}, `${preset.summary} (${steps})`));
  }));
}

async function startConversion(event) {
  event.preventDefault();
  const form = new FormData(byId("options"));
  const body = { model_id: picked.model.id, preset: chosenPreset(), strict: form.has("strict") };
  if (form.get("timesteps")) body.timesteps = Number(form.get("timesteps"));
  if (form.get("max_loss")) body.max_loss = Number(form.get("max_loss")) / 100;
  if (picked.data) body.calibration_id = picked.data.id;
  if (picked.test) body.evaluation_id = picked.test.id;
  try {
    const headers = { "Idempotency-Key": crypto.randomUUID?.() || String(Math.random()) };
    await followJob(await postJson("/v1/conversions", body, headers));
  } catch (error) {
    show("job-section");
    showProblem(problemOf(error));
  }
}

function showProblem(problem) {
  fill("problem", ...problemText(problem));
  show("problem");
}

async function followJob(job) {
  current = job.id;
  show("job-section"); show("result-section", false); show("problem", false);
  byId("job-title").textContent = `Progress of ${job.label || job.kind}`;
  byId("cancel").disabled = job.done;
  const state = byId("job-state");
  const bar = byId("job-progress");
  state.textContent = job.state;
  bar.value = job.progress;
  byId("job-section").scrollIntoView({ block: "nearest" });
  let shown = "";
  await follow(job.id, (event) => {
    if (current !== job.id) return;
    if (event.kind === "progress") {
      bar.value = event.data.progress;
      state.textContent = `${event.data.step} …`;
    } else if (event.kind === "state") {
      state.textContent = event.data.state;
    } else if (event.kind === "result" && event.data.snn_id) {
      shown = event.data.snn_id;
      showResult(shown).catch((error) => showProblem(problemOf(error)));
    }
  });
  if (current !== job.id) return;
  const ended = await getJson(`/v1/jobs/${job.id}`);
  byId("cancel").disabled = true;
  bar.value = ended.progress;
  state.textContent = ended.state;
  if (ended.error) showProblem(ended.error);
  if (ended.snn_id) await showResult(ended.snn_id);
  await showHistory();
}

async function showHistory() {
  const page = await getJson("/v1/jobs?page_size=20");
  if (!page.items.length) {
    fill("history", el("p", { class: "hint" }, "Nothing yet."));
    return;
  }
  const rows = page.items.map((job) => [
    when(job.created_at), job.kind, job.config.preset || "",
    el("span", { class: job.state === "succeeded" ? "good" : job.state === "failed" ? "bad-text" : "" }, job.state),
    job.error ? job.error.detail : job.step,
    el("button", { type: "button", onclick: () => followJob(job).catch((e) => showProblem(problemOf(e))) }, "Open"),
  ]);
  fill("history", table(["when", "kind", "preset", "state", "", ""], rows));
}

function setUpTheme() {
  byId("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    redrawCurve();
  });
}

async function start() {
  await showPresets();
  if (document.body.dataset.keys === "yes" && !hasKey()) {
    show("key-section");
    return;
  }
  await showHistory();
}

setUpTheme();
setUpDrop("model", "model", "/v1/models", (model) => checkModel(model));
setUpDrop("data", "data", "/v1/datasets", async () => {});
setUpDrop("test", "test", "/v1/datasets", async () => {});
byId("options").addEventListener("submit", startConversion);
byId("show-graph").addEventListener("click", () => view("graph"));
byId("show-nodes").addEventListener("click", () => view("nodes"));
byId("presets").addEventListener("change", () => { if (picked.model) checkModel(picked.model, true); });
byId("cancel").addEventListener("click", () => {
  postJson(`/v1/jobs/${current}:cancel`, {}).catch((error) => showProblem(problemOf(error)));
});
byId("key-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  useKey(byId("key").value);
  try {
    await showHistory();
    show("key-section", false);
  } catch (error) {
    fill("history", ...problemText(problemOf(error)));
  }
});
document.addEventListener("click", (event) => {
  const link = event.target.closest("a[data-download]");
  if (!link) return;
  event.preventDefault();
  download(link.getAttribute("href")).catch((error) => showProblem(problemOf(error)));
});
start().catch((error) => fill("history", ...problemText(problemOf(error))));
