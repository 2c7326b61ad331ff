// Histograms: equal bins from 0, of all families, shown or not; the paper's while its bars are drawn.

const BINS = [10, 20, 25, 50, 100]; // all of them divide Python's 100
const FEW = 100; // trials of the largest family, below which 10 bins are enough

function edgesTo(largest, n) {
  const step = largest / n;
  return Float64Array.from({ length: n + 1 }, (_, i) => (i === n ? largest : i * step));
}

// The paper's 25 bins, and further ones of the same width up to the largest value.
function paperEdges(end, largest) {
  const width = end / 25;
  return Float64Array.from({ length: Math.max(25, Math.ceil(largest / width)) + 1 }, (_, i) => width * i);
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
// published: the paper's panel, if its bars are drawn; mostBins(largest): how many bins the chart has room for.
function histogram(grid, score, passed, published, mostBins) {
  const preset = currentPreset(grid);
  const counted = grid.counts?.[score.counted]?.[preset?.key];
  if (counted) return fromCounts(grid, score, counted, published, mostBins);
  const drawn = (row) => passed[row] && grid.inPrefix[row] && !Number.isNaN(score.values[row]);
  const families = grid.families.map(() => ({ declared: 0, drawn: 0 }));
  let largest = 0;
  for (let row = 0; row < grid.n; row++) {
    families[grid.family[row]].declared += passed[row];
    if (!drawn(row)) continue;
    families[grid.family[row]].drawn++;
    if (score.values[row] > largest) largest = score.values[row];
  }
  const n = binsFor(families, mostBins(largest || 1));
  const edges = published ? paperEdges(published.largest, largest) : edgesTo(largest || 1, n);
  for (const family of families) family.counts = new Array(edges.length - 1).fill(0);
  for (let row = 0; row < grid.n; row++) {
    if (drawn(row)) families[grid.family[row]].counts[binOf(score.values[row], edges)]++;
  }
  return { edges, families, sampled: Boolean(grid.counts) };
}

const chosenBins = () => BINS.find((n) => String(n) === get("bins"));

// The chosen number of bins; without a choice, fewer for few trials; at most as many as there is room for.
function binsFor(families, most) {
  const automatic = Math.max(...families.map(({ drawn }) => drawn)) < FEW ? 10 : 25;
  const wanted = chosenBins() ?? automatic;
  return wanted <= most ? wanted : BINS.findLast((n) => n <= most) ?? BINS[0];
}

function fromCounts(grid, score, counted, published, mostBins) {
  const largest = counted.largest * score.scale;
  const sizes = grid.families.map(({ name }, code) =>
    ({ declared: counted.declared[code], drawn: sum(counted.counts[name]) }));
  const n = binsFor(sizes, mostBins(largest));
  const families = grid.families.map(({ name }, code) => {
    const fine = counted.counts[name];
    const together = fine.length / n;
    const own = Array.from({ length: n }, (_, i) => sum(fine.slice(i * together, (i + 1) * together)));
    return { ...sizes[code], counts: published ? counted.in_paper_bins[name] : own };
  });
  const edges = published ? paperEdges(published.largest, counted.largest) : edgesTo(largest, n);
  return { edges, families, sampled: false };
}

const sum = (values) => values.reduce((total, value) => total + value, 0);

function rowsOfBar(grid, score, edges, rows, bar) {
  const [name, bin] = barParts(bar);
  const own = rows.filter((row) => familyOf(grid, row).name === name && grid.inPrefix[row]);
  return own.filter((row) => binOf(score.values[row], edges) === bin);
}

function barParts(bar) {
  const end = bar.lastIndexOf(":");
  return [bar.slice(0, end), Number(bar.slice(end + 1))];
}
