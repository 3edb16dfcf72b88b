// Small makers of elements. Text out of models is always text, never markup.

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
  document.getElementById(id).hidden = !visible;
}

export function fill(id, ...children) {
  document.getElementById(id).replaceChildren(...children);
}

export function table(heads, rows, numeric = 0) {
  const isNumber = (index) => index >= heads.length - numeric;
  const cell = (tag, content, index) => el(tag, isNumber(index) ? { class: "number" } : {}, content);
  return el(
    "table",
    {},
    el("thead", {}, el("tr", {}, ...heads.map((head, i) => cell("th", head, i)))),
    el("tbody", {}, ...rows.map((row) => el("tr", {}, ...row.map((value, i) => cell("td", value, i))))),
  );
}

export function fateBadge(fate) {
  const badge = el("span", { class: "badge" }, fate);
  badge.style.background = `var(--fate-${fate}, var(--fate-unknown))`;
  return badge;
}

export function problemText(problem) {
  const where = problem.node ? `node “${problem.node}” (${problem.op}): ` : "";
  const parts = [el("p", {}, el("strong", {}, `${where}${problem.detail}`), ` [${problem.code}]`)];
  const findings = (problem.findings || []).slice(0, 20);
  if (findings.length) {
    parts.push(el("ul", {}, ...findings.map((finding) => el("li", {}, findingText(finding)))));
  }
  if (problem.remedy) parts.push(el("p", {}, `What to do: ${problem.remedy}`));
  return parts;
}

export function findingText(finding) {
  const where = finding.node || finding.op ? `${finding.node} (${finding.op}): ` : "";
  const remedy = finding.remedy ? ` What to do: ${finding.remedy}` : "";
  return `${where}${finding.message}${remedy}`;
}
