// The page: which view is shown, and the form that starts a conversion.

import { download, getJson, hasKey, postJson, problemOf, useKey } from "/static/api.js";
import { checkModel, chosenPreset, showPresets } from "/static/check.js";
import { forgetCurves, redrawCurves } from "/static/curve.js";
import { byId, fill, problemText, show } from "/static/dom.js";
import { picked, setUpFiles, takeAgain } from "/static/files.js";
import { showHistory, showRecent } from "/static/history.js";
import { showJob } from "/static/job.js";

let visit = 0;

// The address says what is shown: #/ the form, #/jobs/ID, #/history.
async function route(event) {
  const [place, id] = location.hash.replace(/^#\/?/, "").split("/");
  const view = place === "jobs" && /^[0-9a-f]{32}$/.test(id || "") ? "job" : place === "history" ? "history" : "new";
  const mine = (visit += 1);
  const wanted = () => mine === visit;
  for (const other of ["new", "job", "history"]) show(`view-${other}`, other === view);
  document.querySelectorAll("nav a").forEach((link) => {
    if (link.dataset.view === view) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  });
  document.title = view === "history" ? "History · onnx2snn" : "onnx2snn";
  forgetCurves();
  if (event) {
    scrollTo(0, 0);
    document.querySelector(`#view-${view} h1`).focus({ preventScroll: true });
  }
  if (view === "new") await showRecent(wanted);
  if (view === "job") await showJob(id, wanted, openAgain);
  if (view === "history") await showHistory(wanted).catch((error) => fill("history", ...problemText(problemOf(error))));
}

async function openAgain(job) {
  const model = await takeAgain(job.config);
  location.hash = "#/";
  await checkModel(model);
}

async function startConversion(event) {
  event.preventDefault();
  const form = new FormData(byId("options"));
  const body = { model_id: picked.model.id, preset: chosenPreset(), strict: form.has("strict"), label: picked.model.name };
  if (form.get("timesteps")) body.timesteps = Number(form.get("timesteps"));
  if (form.get("max_loss")) body.max_loss = Number(form.get("max_loss")) / 100;
  if (picked.data) body.calibration_id = picked.data.id;
  if (picked.test) body.evaluation_id = picked.test.id;
  show("refusal", false);
  try {
    const headers = { "Idempotency-Key": crypto.randomUUID?.() || String(Math.random()) };
    location.hash = `#/jobs/${(await postJson("/v1/conversions", body, headers)).id}`;
  } catch (error) {
    fill("refusal", ...problemText(problemOf(error)));
    show("refusal");
  }
}

function setUpTheme() {
  byId("theme").addEventListener("click", () => {
    const root = document.documentElement;
    const system = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
    root.dataset.theme = (root.dataset.theme || system) === "dark" ? "light" : "dark";
    localStorage.setItem("theme", root.dataset.theme);
    redrawCurves();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redrawCurves);
}

function setUpKey() {
  document.addEventListener("unauthorized", () => show("key-section"));
  byId("key-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    useKey(byId("key").value);
    fill("key-problem");
    try {
      await getJson("/v1/jobs?page_size=1");
      show("key-section", false);
      await route();
    } catch (error) {
      fill("key-problem", problemOf(error).detail);
    }
  });
}

function setUpDownloads() {
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-download]");
    if (!link) return;
    event.preventDefault();
    download(link.getAttribute("href")).catch((error) => {
      fill("problem", ...problemText(problemOf(error)));
      show("problem");
      byId("problem").scrollIntoView({ block: "nearest" });
    });
  });
}

async function start() {
  if (document.body.dataset.keys === "yes" && !hasKey()) show("key-section");
  else await route();
  await showPresets();
}

setUpTheme();
setUpKey();
setUpDownloads();
setUpFiles((model) => checkModel(model));
byId("options").addEventListener("submit", startConversion);
byId("presets").addEventListener("change", () => { if (picked.model) checkModel(picked.model, { again: true }); });
window.addEventListener("hashchange", route);
start().catch((error) => { fill("problem", ...problemText(problemOf(error))); show("view-job"); show("problem"); });
