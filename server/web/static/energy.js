// Estimated energy: the ANN beside the parts of the SNN, one profile below the other.

import { el } from "/static/dom.js";
import { figure, joules } from "/static/numbers.js";

function bar(name, parts, most) {
  const pieces = parts.map(([kind, value]) => {
    const piece = el("span", { class: `piece ${kind}`, title: `${kind}: ${joules(value)}` });
    piece.style.setProperty("--share", value / most);
    return piece;
  });
  const sum = parts.reduce((total, [, value]) => total + value, 0);
  return el("div", { class: "energy-row" }, el("b", {}, name), el("span", { class: "track" }, ...pieces), el("span", { class: "number" }, joules(sum)));
}

export function energyView(profiles) {
  const blocks = profiles.map((profile) => {
    const parts = [["synapses", profile.synaptic], ["neurons", profile.neurons], ["analog", profile.analog]];
    const spent = parts.filter(([, value]) => value > 0);
    const most = Math.max(profile.ann, profile.snn);
    return el("section", { class: "energy" },
      el("h2", {}, profile.name, " ", el("small", {}, `SNN / ANN = ${figure(profile.ratio)}`)),
      bar("ANN", [["ann", profile.ann]], most),
      bar("SNN", spent, most),
      el("p", { class: "hint" }, `SNN: ${spent.map(([kind, value]) => `${kind} ${joules(value)}`).join(", ")}. Figures ${profile.source}.`));
  });
  const caution = "Per sample, estimated from counted events and their real fan-out; not measured on hardware. Memory traffic is left out.";
  return el("div", {}, el("p", { class: "hint" }, caution), ...blocks);
}
