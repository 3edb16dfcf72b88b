// The three files: chosen or dropped, uploaded at once, kept until taken out.

import { getJson, problemOf, upload } from "/static/api.js";
import { byId } from "/static/dom.js";
import { size } from "/static/numbers.js";

export const picked = { model: null, data: null, test: null };
const PATHS = { model: "/v1/models", data: "/v1/datasets", test: "/v1/datasets" };
const turns = { model: 0, data: 0, test: 0 };

function facts(file) {
  const arrays = (file.arrays || []).map((array) => `${array.name || "array"} ${array.shape.join("×")}`);
  return [file.name, size(file.size), ...arrays].join(" · ");
}

function put(kind, file) {
  const drop = byId(`${kind}-drop`);
  const label = drop.querySelector(".picked");
  picked[kind] = file;
  drop.classList.remove("bad");
  drop.classList.toggle("done", file !== null);
  drop.querySelector(".clear").hidden = file === null;
  label.textContent = file === null ? label.dataset.hint : facts(file);
  if (file === null) byId(`${kind}-file`).value = "";
}

async function take(kind, file, onModel) {
  const drop = byId(`${kind}-drop`);
  const bar = drop.querySelector("progress");
  const turn = (turns[kind] += 1);
  put(kind, null);
  drop.querySelector(".picked").textContent = `${file.name} …`;
  bar.value = 0;
  bar.hidden = false;
  try {
    const stored = await upload(PATHS[kind], file, (share) => { if (turn === turns[kind]) bar.value = share; });
    if (turn !== turns[kind]) return;
    put(kind, stored);
    if (kind === "model") onModel(stored);
  } catch (error) {
    if (turn !== turns[kind]) return;
    const { detail, remedy, findings } = problemOf(error);
    const first = (findings || [])[0];
    put(kind, null);
    drop.classList.add("bad");
    drop.querySelector(".picked").textContent = `${detail}${first ? `: ${first.message}` : ""}. ${remedy || ""}`;
  } finally {
    if (turn === turns[kind]) bar.hidden = true;
  }
}

// Where a file goes that was dropped beside the three places.
function placeFor(file) {
  if (/\.np[yz]$/i.test(file.name)) return picked.data ? "test" : "data";
  return "model";
}

export function setUpFiles(onModel) {
  for (const kind of Object.keys(picked)) {
    const drop = byId(`${kind}-drop`);
    const input = byId(`${kind}-file`);
    input.addEventListener("change", () => { if (input.files[0]) take(kind, input.files[0], onModel); });
    drop.addEventListener("dragover", () => drop.classList.add("over"));
    drop.addEventListener("dragleave", () => drop.classList.remove("over"));
    drop.querySelector(".clear").addEventListener("click", () => {
      turns[kind] += 1;
      put(kind, null);
      if (kind === "model") onModel(null);
      input.focus();
    });
  }
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    document.querySelectorAll(".drop.over").forEach((drop) => drop.classList.remove("over"));
    if (byId("view-new").hidden) return;
    const under = event.target.closest?.(".drop")?.id.replace("-drop", "");
    for (const file of event.dataTransfer.files) take(under || placeFor(file), file, onModel);
  });
}

// Takes the files of an earlier job, for another conversion of the same.
export async function takeAgain({ model_id: model, calibration_id: data, evaluation_id: test }) {
  put("model", await getJson(`/v1/models/${model}`));
  put("data", data ? await getJson(`/v1/datasets/${data}`) : null);
  put("test", test ? await getJson(`/v1/datasets/${test}`) : null);
  return picked.model;
}
