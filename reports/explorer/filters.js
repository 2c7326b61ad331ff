// Which rows pass the filters, and whether these are one of the paper's choices.

const RANGE = /^(-?[\d.e+-]*),(-?[\d.e+-]*)$/;
const filterKey = (axis) => `f.${axis.name}`;

// [low, high] of a text such as "1,2.5"; an end that is left out is open. Null where it is none.
function bounds(text) {
  const parts = RANGE.exec(text);
  if (!parts || text === ",") return null;
  const ends = [parts[1] === "" ? -Infinity : Number(parts[1]), parts[2] === "" ? Infinity : Number(parts[2])];
  return ends.some(Number.isNaN) ? null : ends;
}

// Per axis a test of rows, for the axes that are filtered.
function activeFilters(grid) {
  return grid.axes.map((axis) => ({ axis, passes: axis.numbers ? withinRange(axis) : amongValues(axis) }))
    .filter((filter) => filter.passes);
}

function withinRange(axis) {
  const ends = bounds(get(filterKey(axis)));
  return ends && ((row) => axis.numbers[row] != null && axis.numbers[row] >= ends[0] && axis.numbers[row] <= ends[1]);
}

function amongValues(axis) {
  const allowed = list(filterKey(axis));
  if (!allowed.length) return null;
  const codes = axis.values.map((value) => allowed.includes(value));
  return (row) => codes[axis.codes[row]] === true;
}

// 1 for each row that passes; a filter leaves a family alone that does not vary on its axis.
function matched(grid, score) {
  const found = new Uint8Array(grid.n).fill(1);
  for (const { axis, passes } of activeFilters(grid)) {
    const applies = grid.families.map((family) => axis.only.has(family.name));
    for (let row = 0; row < grid.n; row++) if (applies[grid.family[row]] && !passes(row)) found[row] = 0;
  }
  if (isUnmarkedOnly()) grid.rows.marks.forEach((marks, row) => { if (marks) found[row] = 0; });
  const ends = bounds(get("range"));
  if (ends) {
    for (let row = 0; row < grid.n; row++) {
      if (!(score.values[row] >= ends[0] && score.values[row] <= ends[1])) found[row] = 0;
    }
  }
  return found;
}

const isFiltered = (grid) => Boolean(activeFilters(grid).length || bounds(get("range")) || isUnmarkedOnly());
const isUnmarkedOnly = () => get("unmarked") === "on";

// The preset that is in force, or undefined.
function currentPreset(grid) {
  if (bounds(get("range")) || isUnmarkedOnly()) return undefined;
  const now = new Map(activeFilters(grid).map(({ axis }) => [axis.name, [...list(filterKey(axis))].sort().join()]));
  return grid.presets.find(({ filters }) => {
    const names = Object.keys(filters);
    return names.length === now.size && names.every((name) => now.get(name) === [...filters[name]].sort().join());
  });
}

// What the address has to change for these filters and no others.
function filterChanges(grid, filters) {
  const changes = { range: null, unmarked: null, bar: null, page: null };
  for (const axis of grid.axes) changes[filterKey(axis)] = filters[axis.name] ?? null;
  return changes;
}
