// Numbers as people read them; a number and its unit stay on one line.

const GAP = "\u00a0";

// Never rounded up to 100 %.
export function percent(value) {
  if (value === null || value === undefined) return "–";
  const shown = (100 * value).toFixed(2);
  return `${value < 1 && shown === "100.00" ? "99.99" : shown}${GAP}%`;
}

export function figure(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(digits - 1);
  return Number(value.toPrecision(digits)).toLocaleString("en");
}

// Counted things: exact below a hundred thousand, then k, M, G, T.
export function amount(value) {
  if (value === null || value === undefined) return "–";
  if (value < 1e5) return value < 100 ? figure(value) : Math.round(value).toLocaleString("en");
  const [unit, size] = [["T", 1e12], ["G", 1e9], ["M", 1e6], ["k", 1e3]].find(([, least]) => value >= least);
  return `${(value / size).toPrecision(3)}${GAP}${unit}`;
}

export function joules(value) {
  for (const [unit, size] of [["J", 1], ["mJ", 1e-3], ["µJ", 1e-6], ["nJ", 1e-9]]) {
    if (value >= size) return `${figure(value / size)}${GAP}${unit}`;
  }
  return `${figure(value / 1e-12)}${GAP}pJ`;
}

export function size(bytes) {
  if (bytes < 1024) return `${bytes}${GAP}B`;
  return bytes < 2 ** 20 ? `${figure(bytes / 1024)}${GAP}kB` : `${figure(bytes / 2 ** 20)}${GAP}MB`;
}

export function after(timesteps) {
  return `T${GAP}=${GAP}${timesteps}`;
}

export function seconds(value) {
  if (value < 90) return `${value < 10 ? value.toFixed(1) : Math.round(value)} s`;
  return `${Math.floor(value / 60)} min ${Math.round(value % 60)} s`;
}

export function when(moment) {
  const then = new Date(moment);
  const today = then.toDateString() === new Date().toDateString();
  const time = then.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return today ? `today ${time}` : `${then.toLocaleDateString()} ${time}`;
}
