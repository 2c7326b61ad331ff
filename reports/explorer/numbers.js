// Numbers as text, and places on an axis.

const NONE = "–";
// One formatter for each number of digits: to make one takes longer than to write a row of the table.
const writers = Array.from({ length: 4 }, (_, digits) =>
  new Intl.NumberFormat("en-US", { minimumFractionDigits: digits, maximumFractionDigits: digits }));
const count = (n) => writers[0].format(n);

function plural(n, one, many) {
  return `${count(n)} ${n === 1 ? one : many}`;
}

function fixed(value, digits = 2) {
  if (value == null || Number.isNaN(value)) return NONE;
  if (Math.abs(value) >= 1e6) return value.toExponential(2);
  return writers[digits].format(Math.abs(value) < 0.5 * 10 ** -digits ? 0 : value); // no "-0.00"
}

// As short as can be: for edges of bins and for ticks.
function short(value) {
  return String(Number(value.toPrecision(4)));
}

// Round places from 0 to the largest value, about n of them.
function ticks(largest, n) {
  const raw = largest / n || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].find((factor) => factor * power >= raw) * power;
  return Array.from({ length: Math.floor(largest / step + 1e-9) + 1 }, (_, i) => i * step);
}

function moment(seconds) {
  if (seconds == null) return NONE;
  return `${new Date(Date.UTC(2020, 0, 1) + 1000 * seconds).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
