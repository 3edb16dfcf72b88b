// Numbers as people read them.

export function percent(value) {
  return value === null || value === undefined ? "–" : `${(100 * value).toFixed(2)} %`;
}

export function figure(value, digits = 3) {
  if (value === null || value === undefined) return "–";
  if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(digits - 1);
  return Number(value.toPrecision(digits)).toLocaleString("en");
}

export function joules(value) {
  for (const [unit, size] of [["J", 1], ["mJ", 1e-3], ["µJ", 1e-6], ["nJ", 1e-9]]) {
    if (value >= size) return `${figure(value / size)} ${unit}`;
  }
  return `${figure(value / 1e-12)} pJ`;
}

export function size(bytes) {
  return bytes < 2 ** 20 ? `${figure(bytes / 1024)} kB` : `${figure(bytes / 2 ** 20)} MB`;
}

export function when(moment) {
  return new Date(moment).toLocaleString();
}
