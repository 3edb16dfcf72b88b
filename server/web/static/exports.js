// The network in other formats. What each loses is read before the file is offered.

import { getJson, problemOf } from "/static/api.js";
import { downloadLink, el, findingList, problemText } from "/static/dom.js";
import { size } from "/static/numbers.js";

function outcome(report, href) {
  const losses = report.findings.filter((finding) => finding.severity === "warning");
  const told = [...losses, ...report.findings.filter((finding) => finding.severity !== "warning"), ...report.lint];
  const verdict = losses.length
    ? `Loses meaning in ${losses.length} ${losses.length === 1 ? "way" : "ways"}:`
    : "Loses nothing.";
  return [
    el("p", { class: losses.length ? "warn-text" : "good" }, verdict),
    ...(told.length ? [findingList(told)] : []),
    downloadLink(`${losses.length ? "Download all the same" : "Download"} (${size(report.size)})`, href, { class: "button" }),
  ];
}

function block(format, link) {
  const target = el("select", {}, ...["", ...format.targets].map((name) => el("option", { value: name }, name || "none in particular")));
  const answer = el("div", { class: "answer", role: "status" });
  const make = async () => {
    const query = `?allow_losses=true${target.value ? `&target=${target.value}` : ""}`;
    button.disabled = true;
    answer.replaceChildren(el("p", { class: "hint" }, "making it …"));
    try {
      answer.replaceChildren(...outcome(await getJson(`${link}/report${query}`), link + query));
    } catch (error) {
      answer.replaceChildren(...problemText(problemOf(error)));
    }
    button.disabled = false;
  };
  const button = el("button", { type: "button", onclick: make }, "Prepare");
  target.addEventListener("change", () => answer.replaceChildren());
  const reader = format.targets.length ? [el("label", {}, "Reader ", target)] : [];
  return el("section", { class: "format" },
    el("h2", {}, format.name, " ", el("small", {}, format.summary)), el("div", { class: "row" }, ...reader, button), answer);
}

export function exportsView(snn) {
  const view = el("div", {}, el("p", { class: "hint" }, "reading …"));
  getJson("/v1/formats")
    .then((formats) => view.replaceChildren(
      el("p", { class: "hint" }, "Other formats say less than the .snn.onnx file. What is lost is named before you download."),
      ...formats.filter((format) => snn.links[format.name]).map((format) => block(format, snn.links[format.name]))))
    .catch((error) => view.replaceChildren(...problemText(problemOf(error))));
  return view;
}
