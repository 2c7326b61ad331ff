// A grid: its columns as Python wrote them, with the numbers that are looked at often in typed arrays.

const ENDED = new Set(["diverged", "failed"]);
const given = JSON.parse(document.querySelector(".explorer-data").textContent);

function openGrid(data) {
  const rows = data.rows;
  const axes = data.axes.map((axis) => ({ ...axis, only: new Set(axis.varies_in) }));
  const outcomes = axes.find((axis) => axis.name === "outcome");
  const grid = {
    ...data, axes, outcomes,
    n: rows.trial_id.length,
    family: Uint8Array.from(rows.family),
    known: Uint8Array.from(rows.known),
    place: new Map(rows.trial_id.map((id, row) => [id, row])),
  };
  grid.outcome = (row) => outcomes.values[outcomes.codes[row]];
  grid.scores = scoresOf(grid);
  return grid;
}

// Each score as a column: a trial that diverged or failed has the worst value, or none where there is no worst.
function scoresOf(grid) {
  const columns = grid.scores.map(({ name, label, floor }) => {
    const column = (value, row) => (ENDED.has(grid.outcome(row)) ? (floor ?? NaN) : value == null ? NaN : Math.max(0, value));
    return { name, label, sign: label.split(",")[0], counted: name, scale: 1, floor, values: Float64Array.from(grid.rows[name], column) };
  });
  const [nats] = columns;
  if (grid.real_score) {
    const values = nats.values.map((value) => value / grid.real_score);
    columns.splice(1, 0, { ...nats, name: "fraction", label: "I′ / real digits", sign: "I′ / real digits", scale: 1 / grid.real_score, values });
  }
  return columns;
}

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
  return [...varied.map((axis) => [axis.label, axisText(axis, row)]), ...Object.entries(grid.fixed[family.name])];
}
