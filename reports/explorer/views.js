// Shows what the address chooses: counts in words, the histogram, and below it trials, samples or lines.

const VIEWS = { trials: "Trials", samples: "Samples by score", lines: "Parallel coordinates" };
const grids = given.grids.map(() => null);
let built = -1;
let opened = "";

function currentGrid() {
  const index = given.grids[Number(get("grid"))] ? Number(get("grid")) : 0;
  grids[index] ??= openGrid(given.grids[index]);
  if (built !== index) {
    buildControls(grids[index]);
    built = index;
  }
  return seenAs(grids[index]);
}

function show() {
  const grid = currentGrid();
  const trial = get("trial");
  find(".cells").hidden = Boolean(trial);
  find(".one").hidden = !trial;
  const words = [seenWords(grid.whole), leftOutWords(grid.whole)].filter(Boolean);
  rebuild(find(".seen"), words.map((line) => make("p", {}, line)));
  if (!trial) showCells(grid);
  if (trial && trial !== opened) {
    const heading = showTrial(grid, trial);
    home.scrollIntoView();
    heading.focus({ preventScroll: true });
  }
  if (!trial && opened) {
    [...home.querySelectorAll("[data-key]")].find((e) => e.dataset.key === `trial ${opened}`)?.focus();
  }
  opened = trial;
}

function showCells(grid) {
  const score = chosenScore(grid);
  const passed = matched(grid, score);
  const preset = currentPreset(grid);
  const paperWords = whyNoPaper(grid, score, preset);
  const published = paperWords === "" && get("paper") === "on" ? grid.published[preset.key] : null;
  const counted = histogram(grid, score, passed, published, mostBins(realScore(grid, score)));
  const n = counted.edges.length - 1;
  const hasBands = score === grid.scores[0] && get("unit") !== "count" && (isPublished(grid) ? published : n === 25);
  const chart = chartOf(grid, score, counted, published, hasBands ? grid.bands?.[preset?.key] : null);
  setControls(grid, preset, paperWords, n);
  find(".said").textContent = drawnWords(grid, score, counted);
  drawHistogram(chart);
  rebuild(find(".legend"), legend(chart, paperWords));
  showNumbers(chart);
  showView(grid, score, passed, chart);
}

const realScore = (grid, score) =>
  (score === grid.scores[0] ? grid.real_score : score.name === "fraction" ? 1 : null);

// Why the paper's bars are not drawn; null where there is no paper, and empty where they are drawn.
function whyNoPaper(grid, score, preset) {
  if (!isPublished(grid)) return null;
  if (score !== grid.scores[0]) return `The paper has bars of ${grid.scores[0].sign} only.`;
  if (!preset || !grid.published[preset.key]) return "The paper has bars for the choices of its figures 2 and 3 only.";
  if (get("unit") === "count") return "The paper’s bars are percents.";
  return chosenBins() ? "Choose automatic bins to see the paper’s bars: its bins are then used." : "";
}

function chartOf(grid, score, { edges, families, sampled }, published, bands) {
  const unit = get("unit");
  const all = grid.families.map((family, code) => {
    const { counts, drawn } = families[code];
    const heights = unit === "count" ? counts : counts.map((c) => (drawn ? (100 * c) / drawn : 0));
    return { family, counts, total: drawn, band: bands?.[family.name], heights };
  });
  const paper = published && { edges: paperEdges(published.largest, 0), byFamily: published.families };
  const series = all.filter(({ family }) => isShown(family.name));
  return { edges, unit, score, real: realScore(grid, score), paper, sampled, bar: get("bar"), series };
}

function drawnWords(grid, score, { families, sampled }) {
  const drawn = ({ drawn: n, declared }) => (n === declared ? `all ${count(n)}` : `${count(n)} of ${count(declared)}`);
  const parts = grid.families.flatMap(({ name, label }, code) =>
    (isShown(name) ? [`${drawn(families[code])} ${label}`] : []));
  const passing = isFiltered(grid) ? " that pass the filters" : "";
  const words = parts.length ? `Shown: ${parts.join(", ")} trials${passing}.` : "No family is chosen.";
  const later = " Only trials before the first unfinished shape of the random order are shown.";
  const isPart = families.some(({ drawn, declared }) => drawn < declared) && grid.inPrefix.includes(0);
  const lost = score.worst == null ? " Diverged trials have no such value and are left out." : "";
  const failed = grid.outcomes.values.includes("failed") ? " Failed trials are missing." : "";
  const sample = !grid.counts ? "" : sampled
    ? ` This filtered view is drawn from a random sample of ${count(grid.n)} of ${count(grid.declared)} trials.`
    : ` Drawn from all ${count(grid.declared)} trials; the list below is a random sample of ${count(grid.n)}.`;
  return words + (isPart ? later : "") + lost + failed + sample;
}

function legend({ series, edges, score, real, paper }, paperWords) {
  const line = `Line: the paper, with its axis (${score.sign}/10) times ten; its classifier was another one, `
    + "so compare shapes, not positions.";
  return [
    paperWords !== null && (paper ? line : paperWords),
    series.some(({ band }) => band) && "Boxes: 95 % intervals for the whole grid, shown for the family you point at.",
    real > axisEnd(edges.at(-1), real) && `Real data scores ${fixed(real)}, beyond this axis.`,
  ].filter(Boolean).map((words) => make("span", {}, words));
}

// The table is made only while it is open: a hundred bins of three families are many cells.
function showNumbers(chart) {
  const details = find(".numbers");
  details.ontoggle = () => rebuild(details.querySelector("div"), details.open ? histogramTable(chart) : []);
  details.ontoggle();
}

function showView(grid, score, passed, chart) {
  const view = VIEWS[get("view")] ? get("view") : "trials";
  rebuild(find(".tabs"), Object.entries(VIEWS).map(([name, words]) => make("button", { type: "button", "data-key": name,
    "aria-pressed": String(name === view), click: () => choose({ view: name }) }, words)));
  for (const name of Object.keys(VIEWS)) find(`.view.${name}`).hidden = name !== view;
  const shown = [...passed.keys()].filter((row) => passed[row] && isShown(familyOf(grid, row).name));
  if (view === "samples") showGallery(grid, score, shown);
  else if (view === "lines") showLines(grid, score, shown, passed);
  else {
    const rows = chart.bar ? rowsOfBar(grid, score, chart.edges, shown, chart.bar) : shown;
    showTable(grid, rows, listedWords(grid, chart, rows));
  }
}

function listedWords(grid, chart, rows) {
  const of = grid.counts ? ` of the sample of ${count(grid.n)}` : "";
  if (!chart.bar) {
    return `${plural(rows.length, "trial passes", "trials pass")} the filters${of}, with or without a score.`;
  }
  const [name, bin] = barParts(chart.bar);
  const label = grid.families.find((family) => family.name === name)?.label ?? name;
  const [from, to] = [chart.edges[bin], chart.edges[bin + 1]];
  const ends = to === undefined ? "" : ` from ${short(from)} to ${short(to)}`;
  return [`${plural(rows.length, "trial", "trials")}${of} in the bar of ${label}${ends}. `,
    make("button", { type: "button", class: "plain", click: () => choose({ bar: null, page: null }) }, "List all")];
}

window.addEventListener("hashchange", follow);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => show());
let width = 0;
new ResizeObserver(([{ contentRect }]) => {
  if (contentRect.width && width && contentRect.width !== width && !get("trial")) showCells(currentGrid());
  width = contentRect.width || width;
}).observe(home);
find(".cells").addEventListener("submit", (event) => event.preventDefault());
show();
if (chosen.size) home.scrollIntoView();
