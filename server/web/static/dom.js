// Small makers of elements. Text out of models is always text, never markup.

export const byId = (id) => document.getElementById(id);

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "onclick") made.addEventListener("click", value);
    else if (value !== false && value !== null) made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

export function show(id, visible = true) {
  byId(id).hidden = !visible;
}

export function fill(id, ...children) {
  byId(id).replaceChildren(...children);
}

// The last `numeric` columns are numbers. Scrolls in itself, also by keyboard.
export function table(heads, rows, { numeric = 0, label = "" } = {}) {
  const isNumber = (index) => index >= heads.length - numeric;
  const cell = (tag, content, index) => el(tag, isNumber(index) ? { class: "number" } : {}, content);
  const made = el(
    "table",
    {},
    el("thead", {}, el("tr", {}, ...heads.map((head, i) => cell("th", head, i)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((value, i) => cell("td", value, i))))),
  );
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label || heads.join(", ") }, made);
}

// Views under tabs: arrow keys move between them, as in any other tab list.
export function tabs(label, views) {
  const buttons = views.map(([name], index) =>
    el("button", { type: "button", role: "tab", id: `tab-${label}-${index}`, "aria-controls": `panel-${label}-${index}` }, name));
  const panels = views.map(([, content], index) =>
    el("div", { role: "tabpanel", id: `panel-${label}-${index}`, "aria-labelledby": `tab-${label}-${index}` }, content));
  const choose = (chosen) => buttons.forEach((button, index) => {
    button.setAttribute("aria-selected", String(index === chosen));
    button.tabIndex = index === chosen ? 0 : -1;
    panels[index].hidden = index !== chosen;
  });
  buttons.forEach((button, index) => {
    button.addEventListener("click", () => choose(index));
    button.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (index + step + buttons.length) % buttons.length;
      choose(next);
      buttons[next].focus();
      event.preventDefault();
    });
  });
  choose(0);
  return el("div", {}, el("div", { role: "tablist", class: "tabs", "aria-label": label }, ...buttons), ...panels);
}

// Downloads go through fetch (app.js): a plain link would not carry the key.
export function downloadLink(text, href, extra = {}) {
  return el("a", { href, "data-download": "", ...extra }, text);
}

export function chip(text, kind) {
  return el("span", { class: `chip ${kind}` }, text);
}

export function problemText(problem) {
  const where = problem.node ? `node “${problem.node}” (${problem.op}): ` : "";
  const parts = [el("p", {}, el("strong", {}, `${where}${problem.detail}`), " ", el("code", {}, problem.code))];
  const findings = (problem.findings || []).slice(0, 20);
  if (findings.length) parts.push(findingList(findings));
  if (problem.remedy) parts.push(el("p", {}, `What to do: ${problem.remedy}`));
  return parts;
}

export function findingList(findings) {
  return el("ul", { class: "findings" }, ...findings.map(findingItem));
}

export function findingItem(finding) {
  const where = finding.node || finding.op ? `${finding.node} (${finding.op}): ` : "";
  const item = el("li", { class: finding.severity }, `${where}${finding.message}`);
  if (finding.remedy) item.append(el("small", {}, `What to do: ${finding.remedy}`));
  return item;
}
