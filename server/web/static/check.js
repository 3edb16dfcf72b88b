// The check of the chosen model, and the choice of preset, which it depends on.

import { getJson, postJson, problemOf } from "/static/api.js";
import { byId, el, fill, findingItem, problemText, show } from "/static/dom.js";
import { fatesView } from "/static/fates.js";

const MOST_FINDINGS = 200;
let turn = 0;

export function chosenPreset() {
  return document.querySelector("#presets input:checked")?.value || "graded";
}

function tensor({ name, type, shape }) {
  return `${name} ${type} [${shape.join(", ")}]`;
}

function signature({ source, inputs, outputs }) {
  if (!source) return "";
  return `${inputs.map(tensor).join(", ")} → ${outputs.map(tensor).join(", ")} · opset ${source.opset}`;
}

export async function checkModel(model, { again = false } = {}) {
  const mine = (turn += 1);
  show("check-section", model !== null);
  if (!again || model === null) {
    show("options-section", false);
    fill("findings"); fill("fates"); fill("signature");
  }
  if (model === null) return;
  const verdict = byId("verdict");
  verdict.className = "";
  verdict.textContent = "checking …";
  try {
    const check = await postJson(`/v1/models/${model.id}:check`, { preset: chosenPreset() });
    const graph = check.source ? await getJson(`/v1/models/${model.id}/graph`) : null;
    if (mine !== turn) return;
    verdict.className = check.convertible ? "good" : "bad-text";
    verdict.textContent = check.convertible
      ? `${check.name} converts with preset ${chosenPreset()}.`
      : `${check.name} does not convert.`;
    fill("signature", signature(check));
    fill("findings", ...check.findings.slice(0, MOST_FINDINGS).map(findingItem));
    fill("fates", ...(check.nodes.length ? [fatesView(check.nodes, graph, "check")] : []));
    show("options-section", check.convertible);
  } catch (error) {
    if (mine !== turn) return;
    verdict.className = "bad-text";
    verdict.textContent = "The model cannot be checked.";
    fill("fates", ...problemText(problemOf(error)));
  }
}

function presetCard(preset, checked) {
  const input = el("input", { type: "radio", name: "preset", value: preset.name, checked });
  const stimulus = preset.stimulus === null ? "S = T" : `S = ${preset.stimulus}`;
  const digits = preset.alphabet === "graded" ? `, k = ${preset.digits}` : "";
  return el("label", {}, input, el("strong", {}, preset.name), el("span", {}, preset.summary),
    el("small", {}, `T = ${preset.timesteps}, ${stimulus}, ${preset.alphabet}${digits}`));
}

export async function showPresets() {
  const presets = await getJson("/v1/presets");
  fill("presets", ...presets.map((preset, index) => presetCard(preset, index === 0)));
}
