// Histograms: equal bins from 0 to the largest drawn value that passes the filters, of all families, shown or not.

const BINS = [10, 20, 25, 50, 100]; // all of them divide Python's 100

function edgesTo(largest, n) {
  const step = largest / n;
  return Float64Array.from({ length: n + 1 }, (_, i) => (i === n ? largest : i * step));
}

// As numpy.histogram counts: a bin has its left edge and not its right one, but for the last.
function binOf(value, edges) {
  const n = edges.length - 1;
  let bin = Math.min(n - 1, Math.floor((value / edges[n]) * n));
  if (value < edges[bin]) bin--;
  else if (bin < n - 1 && value >= edges[bin + 1]) bin++;
  return bin;
}

// {edges, sampled, families: per family {declared, drawn, counts}}
function histogram(grid, score, passed, n) {
  const preset = currentPreset(grid);
  if (grid.counts && preset) return fromCounts(grid, score, grid.counts[score.counted][preset.key], n);
  const drawn = (row) => passed[row] && grid.known[row] && !Number.isNaN(score.values[row]);
  let largest = 0;
  for (let row = 0; row < grid.n; row++) if (drawn(row) && score.values[row] > largest) largest = score.values[row];
  const edges = edgesTo(largest || 1, n);
  const families = grid.families.map(() => ({ declared: 0, drawn: 0, counts: new Array(n).fill(0) }));
  for (let row = 0; row < grid.n; row++) {
    const family = families[grid.family[row]];
    family.declared += passed[row];
    if (!drawn(row)) continue;
    family.drawn++;
    family.counts[binOf(score.values[row], edges)]++;
  }
  return { edges, families, sampled: Boolean(grid.counts) };
}

function fromCounts(grid, score, counted, n) {
  const families = grid.families.map((family, code) => {
    const fine = counted.counts[family.name];
    const together = fine.length / n;
    const counts = Array.from({ length: n }, (_, i) => sum(fine.slice(i * together, (i + 1) * together)));
    return { declared: counted.declared[code], drawn: sum(counts), counts };
  });
  return { edges: edgesTo(counted.largest * score.scale, n), families, sampled: false };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

function rowsOfBar(grid, score, edges, rows, bar) {
  const [name, bin] = barParts(bar);
  const own = rows.filter((row) => familyOf(grid, row).name === name && grid.known[row]);
  return own.filter((row) => binOf(score.values[row], edges) === bin);
}

function barParts(bar) {
  const end = bar.lastIndexOf(":");
  return [bar.slice(0, end), Number(bar.slice(end + 1))];
}
