// A grid of trials: its columns as Python wrote them, with the numbers that are looked at often in typed arrays.

const given = JSON.parse(document.querySelector(".explorer-data").textContent);

function openGrid(data) {
  const rows = data.rows;
  const axes = data.axes.map((axis) => ({ ...axis, only: new Set(axis.varies_in) }));
  const outcomes = axes.find((axis) => axis.name === "outcome");
  const grid = {
    ...data, axes, outcomes,
    n: rows.trial_id.length,
    family: Uint8Array.from(rows.family),
    inPrefix: Uint8Array.from(rows.in_prefix),
    place: new Map(rows.trial_id.map((id, row) => [id, row])),
    measured: data.scores,
  };
  grid.whole = grid; // of which `seenAs` gives views
  return finish(grid);
}

function finish(grid) {
  grid.outcome = (row) => grid.outcomes.values[grid.outcomes.codes[row]];
  grid.scores = scoresOf(grid);
  grid.ranks = null;
  return grid;
}

// Each score as a column: a trial that diverged has the worst value, or none where there is no worst.
function scoresOf(grid) {
  const columns = grid.measured.map(({ name, label, worst, higher }) => {
    const limited = (value) => (worst == null ? value : higher ? Math.max(worst, value) : Math.min(worst, value));
    const counted = (value) => (value == null ? NaN : Math.max(0, limited(value))); // bins start at 0
    const column = (value, row) => (grid.outcome(row) === "diverged" ? (worst ?? NaN) : counted(value));
    const values = Float64Array.from(grid.rows[name], column);
    return { name, label, sign: signOf(label), counted: name, scale: 1, worst, higher, values };
  });
  const [first] = columns;
  if (grid.real_score) {
    const values = first.values.map((value) => value / grid.real_score);
    const label = `${first.sign} / real data`;
    columns.splice(1, 0, { ...first, name: "fraction", label, sign: label, scale: 1 / grid.real_score, values });
  }
  return columns;
}

// The place of a row's first score among all of the grid, from 1; equal scores share a place.
function rankOf(grid, row) {
  const [{ name, higher }] = grid.measured;
  const values = grid.rows[name];
  if (!grid.ranks) {
    const order = values.filter((value) => value != null).sort((a, b) => (higher ? b - a : a - b));
    grid.ranks = new Map(order.map((value, i) => [value, i + 1]).reverse());
  }
  return grid.ranks.get(values[row]);
}

const marksOf = (grid, row) => grid.marks.filter((_, bit) => grid.rows.marks[row] & (2 ** bit));

// A score's label without its unit, and the unit with a space before it.
const signOf = (label) => label.split(",")[0];
const unitOf = (label) => label.split(",")[1] ?? "";

const chosenScore = (grid) => grid.scores.find(({ name }) => name === get("score")) ?? grid.scores[0];
// The chosen order of the table; without a choice, the best trials come first.
const bestFirst = (grid) => (grid.scores[0].higher ? "-" : "") + grid.scores[0].name;
const chosenSort = (grid) => get("sort") || bestFirst(grid);

const axisText = (axis, row) => {
  if (axis.numbers) return axis.numbers[row] == null ? NONE : String(axis.numbers[row]);
  return axis.values[axis.codes[row]] ?? NONE;
};

// A place of a row on an axis, for sorting; NaN where the row has no value.
const axisPlace = (axis, row) => {
  if (axis.numbers) return axis.numbers[row] ?? NaN;
  return axis.codes[row] < 0 ? NaN : axis.codes[row];
};

const familyOf = (grid, row) => grid.families[grid.family[row]];
const coded = (column, row) => column.values[column.codes[row]] ?? NONE;
const colour = (family) => `var(--${family.hue})`;

function settingsOf(grid, row) {
  const family = familyOf(grid, row);
  const varied = grid.axes.filter((axis) => axis !== grid.outcomes && axisText(axis, row) !== NONE);
  return [...varied.map((axis) => [axis.name, axisText(axis, row)]), ...Object.entries(grid.fixed[family.name])];
}
