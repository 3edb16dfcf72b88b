// Past jobs, the newest first, older ones on demand; those that still run are looked at again.

import { getJson } from "/static/api.js";
import { byId, chip, el, fill, show, table } from "/static/dom.js";
import { seconds, when } from "/static/numbers.js";

const PAGE = 25, AGAIN = 2000;

async function names() {
  const pages = await Promise.all(["models", "snns"].map((kind) => getJson(`/v1/${kind}?page_size=200`)));
  return new Map(pages.flatMap((page) => page.items.map(({ id, name }) => [id, name])));
}

// fileName: of the model or, where a job has none, of the network.
export function jobName(job, fileName) {
  if (job.parent_id && fileName) return fileName; // the jobs of a batch share its label
  if (job.label) return job.label;
  if (job.kind === "batch") return "batch of models";
  return fileName || `${job.kind} ${job.id.slice(0, 8)}`;
}

function took(job) {
  if (!job.started_at || !job.finished_at) return "";
  return seconds((new Date(job.finished_at) - new Date(job.started_at)) / 1000);
}

export function jobTable(jobs, known) {
  const failed = jobs.some((job) => job.error);
  const reason = (job) => el("span", { class: "why" }, job.error ? job.error.detail : "");
  const rows = jobs.map((job) => [
    el("a", { href: `#/jobs/${job.id}` }, jobName(job, known.get(job.model_id || job.snn_id))),
    chip(job.state, job.state), job.kind, job.config.preset || "", ...(failed ? [reason(job)] : []), took(job), when(job.created_at),
  ]);
  const heads = ["job", "state", "kind", "preset", ...(failed ? ["reason"] : []), "took", "asked"];
  return table(heads, rows, { numeric: 2, label: "Jobs" });
}

// Shows a list of jobs in a place, as long as `wanted` says so.
export async function jobList(place, query, wanted) {
  const known = await names();
  let jobs = [], token = "";
  const draw = () => {
    if (!wanted()) return;
    const older = el("button", { type: "button", onclick: async () => { await read(token); draw(); } }, "Older");
    place.replaceChildren(...(jobs.length ? [jobTable(jobs, known)] : [el("p", { class: "hint" }, "Nothing yet.")]), ...(token ? [older] : []));
  };
  const read = async (from) => {
    const page = await getJson(`/v1/jobs?page_size=${PAGE}${query}${from ? `&page_token=${encodeURIComponent(from)}` : ""}`);
    jobs = from ? [...jobs, ...page.items] : page.items;
    token = page.next_page_token;
  };
  await read("");
  draw();
  while (wanted() && jobs.length <= PAGE && jobs.some((job) => !job.done)) {
    await new Promise((wake) => setTimeout(wake, AGAIN));
    if (!wanted()) return;
    await read("");
    draw();
  }
}

// The latest few, below the form; nothing where there are none.
export async function showRecent(wanted) {
  const jobs = (await getJson("/v1/jobs?page_size=5").catch(() => ({ items: [] }))).items;
  const known = jobs.length ? await names() : new Map();
  if (!wanted()) return;
  show("recent-section", jobs.length > 0);
  if (jobs.length) fill("recent", jobTable(jobs, known));
}

export async function showHistory(wanted) {
  fill("history", el("p", { class: "hint" }, "reading …"));
  await jobList(byId("history"), "", wanted);
}
