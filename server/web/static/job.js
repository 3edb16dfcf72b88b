// One job: how far it is, what went wrong, what came of it.

import { follow, getJson, postJson, problemOf, remove } from "/static/api.js";
import { byId, downloadLink, el, fill, problemText, show } from "/static/dom.js";
import { jobList, jobName } from "/static/history.js";
import { seconds, when } from "/static/numbers.js";
import { logView, showResult } from "/static/result.js";

const fail = (error) => showProblem(problemOf(error));

function showProblem(problem) {
  fill("problem", ...problemText(problem));
  show("problem");
}

function action(text, run) {
  const button = el("button", { type: "button", onclick: () => { button.disabled = true; run().catch(fail); } }, text);
  return button;
}

// Asks first, in place: the button may stand where another one stood a moment ago.
function askedAction(text, question, run) {
  const button = el("button", { type: "button", onclick: () => button.replaceWith(sure) }, text);
  const sure = action(question, run);
  sure.addEventListener("blur", () => sure.replaceWith(button));
  button.addEventListener("click", () => sure.focus());
  return button;
}

function showState(job, openAgain) {
  byId("job-state").textContent = job.state;
  byId("job-state").className = `chip ${job.state}`;
  const facts = [`asked ${when(job.created_at)}`];
  if (job.started_at && job.finished_at) facts.push(`took ${seconds((new Date(job.finished_at) - new Date(job.started_at)) / 1000)}`);
  if (job.attempt > 1) facts.push(`attempt ${job.attempt}`);
  byId("job-facts").textContent = facts.join(" · ");
  show("progress-section", !job.done);
  byId("job-progress").value = job.progress;
  byId("job-step").textContent = job.state === "queued" ? "waiting for a worker …" : `${job.step || "starting"} …`;
  const actions = [];
  if (!job.done) actions.push(action("Cancel", () => postJson(`${job.links.self}:cancel`, {})));
  if (job.kind === "conversion" && job.done) actions.push(action("Convert again …", () => openAgain(job)));
  if (["failed", "cancelled"].includes(job.state) && job.kind !== "batch") {
    actions.push(action("Retry", async () => { await postJson(`${job.links.self}:retry`, {}); window.dispatchEvent(new HashChangeEvent("hashchange")); }));
  }
  if (job.done) actions.push(askedAction("Delete", "Really delete?", async () => { await remove(job.links.self); location.hash = "#/history"; }));
  fill("job-actions", ...actions);
}

async function nameOf(job) {
  const place = job.model_id ? `models/${job.model_id}` : job.snn_id ? `snns/${job.snn_id}` : "";
  const file = place ? await getJson(`/v1/${place}`).catch(() => null) : null; // it may be gone
  return jobName(job, file?.name);
}

async function showOutcome(job, wanted) {
  if (job.error) showProblem(job.error);
  if (job.links.simulation) {
    show("result-section");
    fill("downloads", downloadLink("Download simulation.npz", job.links.simulation, { class: "button primary" }));
    fill("tiles");
    byId("honest").textContent = "";
  } else if (job.snn_id) {
    await showResult(job.snn_id, job, wanted);
    return;
  }
  if (job.kind !== "batch") {
    show("details");
    fill("details", el("h2", {}, "Log"), logView(job));
  }
}

export async function showJob(id, wanted, openAgain) {
  for (const part of ["progress-section", "problem", "result-section", "details"]) show(part, false);
  fill("job-title", "Job"); fill("job-facts"); fill("job-actions");
  byId("job-state").textContent = "";
  byId("job-kind").textContent = "";
  try {
    let job = await getJson(`/v1/jobs/${id}`);
    const name = await nameOf(job);
    if (!wanted()) return;
    byId("job-title").textContent = name;
    byId("job-kind").textContent = job.config.preset ? `${job.kind}, preset ${job.config.preset}` : job.kind;
    document.title = `${name} · onnx2snn`;
    showState(job, openAgain);
    if (job.kind === "batch") {
      show("details");
      jobList(byId("details"), `&parent_id=${id}`, wanted).catch(fail);
    }
    if (!job.done) job = await watch(job, wanted);
    if (job === null || !wanted()) return;
    showState(job, openAgain);
    await showOutcome(job, wanted);
  } catch (error) {
    if (wanted()) fail(error);
  }
}

// Shows the progress of a job, and its network as soon as there is one, before it has been measured.
function watch(job, wanted) {
  return follow(job.id, ({ kind, data }) => {
    if (kind === "progress") {
      byId("job-progress").value = data.progress;
      byId("job-step").textContent = `${data.step} …`;
    } else if (kind === "state" && data.state === "running") {
      byId("job-state").textContent = "running";
      byId("job-state").className = "chip running";
      byId("job-step").textContent = "starting …";
    } else if (kind === "result" && data.snn_id) {
      showResult(data.snn_id, job, wanted).catch(fail);
    }
  }, wanted);
}
