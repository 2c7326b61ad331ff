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
  return grids[index];
}

function show() {
  const grid = currentGrid();
  const trial = get("trial");
  find(".cells").hidden = Boolean(trial);
  find(".one").hidden = !trial;
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
  const n = BINS.includes(Number(get("bins"))) ? Number(get("bins")) : 25;
  const passed = matched(grid, score);
  const counted = histogram(grid, score, passed, n);
  const preset = currentPreset(grid);
  const paperWords = whyNoPaper(grid, score, preset);
  const hasBands = n === 25 && score.counted === grid.scores[0].name && get("unit") !== "count";
  const bands = hasBands ? grid.bands?.[preset?.key] : null;
  const chart = chartOf(grid, score, counted, paperWords === "" ? grid.published[preset.key] : null, bands);
  setControls(grid, preset, paperWords);
  find(".said").textContent = drawnWords(grid, score, counted);
  drawHistogram(chart);
  rebuild(find(".legend"), legend(chart, paperWords));
  showNumbers(chart);
  showView(grid, score, passed, chart);
}

// Why the paper's bars are not drawn; null where there is no paper, and empty where they are drawn.
function whyNoPaper(grid, score, preset) {
  if (!isPublished(grid)) return null;
  if (score.name !== grid.scores[0].name) return `The paper has bars of ${grid.scores[0].sign} only.`;
  if (!preset || !grid.published[preset.key]) return "The paper has bars for the choices of its figures 2 and 3 only.";
  return get("unit") === "count" ? "The paper’s bars are percents." : "";
}

function chartOf(grid, score, { edges, families, sampled }, published, bands) {
  const unit = get("unit");
  const all = grid.families.map((family, code) => {
    const { counts, drawn } = families[code];
    const heights = unit === "count" ? counts : counts.map((c) => (drawn ? (100 * c) / drawn : 0));
    return { family, counts, total: drawn, band: bands?.[family.name], heights };
  });
  const real = score.name === grid.scores[0].name ? grid.real_score : score.name === "fraction" ? 1 : null;
  const paper = published && get("paper") === "on" ? paperOf(grid, published) : null;
  const series = all.filter(({ family }) => isShown(family.name));
  return { edges, unit, score, real, paper, sampled, bar: get("bar"), series };
}

function paperOf(grid, { largest, families }) {
  const shown = grid.families.filter(({ name }) => families[name] && isShown(name));
  const series = shown.map((family) => ({ family, heights: families[family.name] }));
  return series.length ? { edges: edgesTo(largest, 25), series } : null;
}

function drawnWords(grid, score, { families, sampled }) {
  const drawn = ({ drawn: n, declared }) => `${count(n)} of ${count(declared)}`;
  const parts = grid.families.flatMap(({ name, label }, code) =>
    (isShown(name) ? [`${label} ${drawn(families[code])}`] : []));
  const words = parts.length ? `Drawn of the declared trials: ${parts.join(", ")}.` : "No family is chosen.";
  const known = " Only trials before the first unfinished shape of the random order are drawn.";
  const isPart = families.some(({ drawn, declared }) => drawn < declared) && grid.known.includes(0);
  const lost = score.worst == null ? " Diverged trials have no such value and are left out." : "";
  const failed = grid.outcomes.values.includes("failed") ? " Failed trials are missing." : "";
  const sample = !grid.counts ? "" : sampled
    ? ` This filtered view is drawn from a random sample of ${count(grid.n)} of ${count(grid.declared)} trials.`
    : ` Drawn from all ${count(grid.declared)} trials; the list below is a random sample of ${count(grid.n)}.`;
  return words + (isPart ? known : "") + lost + failed + sample;
}

function legend({ series, paper, score }, paperWords) {
  const hanging = `Hanging bars: the paper’s, its axis (${score.sign}/10) times ten; compare shapes, not positions.`;
  const aside = (words) => make("span", { class: "aside" }, words);
  return [
    ...series.map(({ family }) => make("span", { style: `--hue: ${colour(family)}` },
      make("i", { "aria-hidden": "true" }), family.label)),
    series.some(({ band }) => band) && aside("Thin lines: 95 % intervals for the whole grid."),
    paperWords !== null && aside(paper ? hanging : paperWords),
  ];
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
  if (!chart.bar) return `${plural(rows.length, "trial passes", "trials pass")} the filters${of}, drawn or not.`;
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
