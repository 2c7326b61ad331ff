// Draws the histogram, a row for each family: bars of this sweep, the paper as an outline; each bar is a button.

const BASE = { left: 46, right: 14, top: 36, head: 26, row: 96, bottom: 44 };
const LEAST_BAR = 8; // pixels that a bar is wide, so that it can be pressed

const plotWidth = () => Math.max(280, find(".chart").clientWidth) - BASE.left - BASE.right;

// The end of the horizontal axis: above the score of real data, unless bars would become too narrow.
function axisEnd(largest, real) {
  const wide = Math.max(largest, 1.05 * (real ?? 0));
  return (plotWidth() * largest) / wide < LEAST_BAR * BINS[0] ? largest : wide;
}

// How many bins up to the largest value have room for bars that can be pressed.
const mostBins = (real) => (largest) => Math.floor((plotWidth() * largest) / axisEnd(largest, real) / LEAST_BAR);

// The chart for what is chosen: {edges, unit, score, series, paper: {edges, byFamily} or null, real, bar}
function drawHistogram(chart) {
  const svg = find(".chart svg");
  const width = plotWidth() + BASE.left + BASE.right;
  const height = BASE.top + chart.series.length * (BASE.head + BASE.row) + BASE.bottom;
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  const keys = "Arrow keys go from bar to bar, Enter lists a bar's trials.";
  svg.setAttribute("aria-label", `Histogram of ${chart.score.label}. ${keys}`);
  const end = axisEnd(chart.edges.at(-1), chart.real);
  const x = (value) => BASE.left + (plotWidth() * value) / end;
  rebuild(svg, axisOf(chart, x, end, height), realLines(chart, x, end, height),
    chart.series.map((series, place) => familyRow(chart, x, series, place)));
  const stops = [...svg.querySelectorAll("[data-key]")];
  const first = stops.find((bar) => bar.dataset.key === chart.bar)
    ?? stops.find((bar) => bar === document.activeElement) ?? stops[0];
  first?.setAttribute("tabindex", "0"); // one stop for Tab; arrows lead to the others
  hideTip();
}

function axisOf({ score, unit }, x, end, height) {
  return [
    ...ticks(end, plotWidth() < 440 ? 4 : 8).map((value) =>
      draw("text", { class: "tick middle", x: x(value), y: height - 26 }, short(value))),
    draw("text", { class: "tick middle", x: (x(0) + x(end)) / 2, y: height - 8 }, score.label),
    draw("text", { class: "tick", x: 0, y: 12 },
      unit === "count" ? "trials in each bin" : "percent of the family’s trials in each bin"),
  ];
}

// The score of real data and its thirds.
function realLines({ real }, x, end, height) {
  if (!real) return [];
  const narrow = plotWidth() < 440;
  const places = [["⅓", real / 3], ["⅔", (2 * real) / 3], [narrow ? "real" : "real data", real]];
  return places.filter(([, value]) => value <= end).flatMap(([words, value], i) => [
    draw("line", { class: i === 2 ? "real" : "rule",
      x1: x(value), x2: x(value), y1: BASE.top, y2: height - BASE.bottom }),
    draw("text", { class: "tick middle halo", x: x(value), y: BASE.top - 4 }, words),
  ]);
}

// The end of a row's vertical axis: above every bar, or above all but the lowest bin's where that dwarfs the others.
function rowTop(heights, paper, unit) {
  const [lowest, others] = [true, false].map((isFirst) =>
    Math.max(0, ...[heights, paper].flatMap((all) => all.filter((_, bin) => (bin === 0) === isFirst))));
  const seen = Math.max(others, unit === "count" ? 1 : 4);
  return lowest > 2 * seen ? 1.3 * seen : 1.15 * Math.max(lowest, seen);
}

function familyRow(chart, x, series, place) {
  const { family, heights, band } = series;
  const paper = chart.paper?.byFamily[family.name] ?? [];
  const top = rowTop(heights, paper, chart.unit);
  const roof = BASE.top + place * (BASE.head + BASE.row) + BASE.head;
  const floor = roof + BASE.row;
  const y = (value) => floor - (BASE.row * Math.min(value, top)) / top;
  const at = (edges, bin) => ({ x: x(edges[bin]), width: x(edges[bin + 1]) - x(edges[bin]) });
  const chosen = chart.series.length === 1 || barParts(chart.bar)[0] === family.name;
  const cut = [[heights[0], ""], [paper[0], "paper "]].filter(([value]) => value > top)
    .map(([value, words]) => `${words}${fixed(value, 0)} %`).join(", ");
  return draw("g", { class: chosen ? "panel chosen" : "panel" },
    draw("rect", { class: "ground", x: x(0), width: plotWidth(), y: roof - BASE.head, height: BASE.head + BASE.row }),
    ticks(top, 3).map((value) => [
      draw("line", { class: value ? "rule" : "zero", x1: x(0), x2: x(0) + plotWidth(), y1: y(value), y2: y(value) }),
      draw("text", { class: "tick end", x: x(0) - 6, y: y(value) + 4 }, short(value)),
    ]).flat(),
    draw("rect", { fill: colour(family), x: x(0), width: 10, y: roof - 15, height: 10 }),
    draw("text", { class: "name", x: x(0) + 15, y: roof - 6 },
      `${family.label}, ${plural(series.total, "trial", "trials")}`),
    cut && draw("text", { class: "tick halo", x: x(chart.edges[1]) + 4, y: roof + 9 }, `↑ ${cut}`),
    band && band.low.map((low, bin) => draw("rect", { class: "band", ...at(chart.edges, bin),
      y: y(band.high[bin]), height: y(low) - y(band.high[bin]) })),
    heights.map((value, bin) => series.counts[bin] && ownBar(chart, series, bin,
      { place, roof, floor, top: y(value), ...at(chart.edges, bin) })),
    outline(chart.paper, paper, x, y));
}

function outline(paper, heights, x, y) {
  if (!heights.length) return null;
  const steps = heights.map((value, bin) => `V${y(value)}H${x(paper.edges[bin + 1])}`);
  return draw("path", { class: "paper", d: `M${x(0)},${y(0)}${steps.join("")}V${y(0)}` });
}

function ownBar(chart, series, bin, { place, roof, floor, top, x, width }) {
  const key = `${series.family.name}:${bin}`;
  const words = barWords(chart, series, bin);
  const tell = () => showTip(words, x + width / 2, roof);
  const height = Math.max(2, floor - top);
  return draw("g", {
    class: "bar", role: "button", tabindex: "-1", "data-key": key, "data-bin": bin, "data-place": place,
    "aria-label": words, "aria-pressed": String(key === chart.bar),
    focus: tell, blur: hideTip, pointerenter: tell, pointerleave: hideTip,
    click: () => pressBar(key), keydown: (event) => barKey(event, key),
  },
  draw("rect", { class: "reach", x, width, y: roof, height: floor - roof }),
  draw("rect", { class: "body", fill: colour(series.family), x: x + 0.06 * width, width: 0.88 * width,
    y: floor - height, height }));
}

function barWords(chart, { family, counts, total, band }, bin) {
  const span = `from ${short(chart.edges[bin])} to ${short(chart.edges[bin + 1])}`;
  const share = fixed((100 * counts[bin]) / total, 1);
  const whole = band ? `; of the whole grid ${fixed(band.low[bin], 1)} to ${fixed(band.high[bin], 1)} %` : "";
  const trials = plural(counts[bin], "trial", "trials");
  return `${family.label}, ${chart.score.sign} ${span}: ${trials}, ${share} % of ${count(total)}${whole}`;
}

function pressBar(key) {
  const isNew = get("bar") !== key;
  choose({ bar: isNew ? key : null, page: null, view: null });
  if (isNew) bringIntoView(find(".listed"));
}

// Moves the page until an element stands in its upper part; what is above it stays in sight where it can.
function bringIntoView(element) {
  const under = element.getBoundingClientRect().top - 0.55 * window.innerHeight;
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  if (under > 0) window.scrollBy({ top: under, behavior: still ? "instant" : "smooth" });
}

function barKey(event, key) {
  const own = event.currentTarget;
  const bars = [...find(".chart svg").querySelectorAll(".bar")];
  const [place, bin] = [own.dataset.place, own.dataset.bin].map(Number);
  const along = { ArrowRight: 1, ArrowLeft: -1, Home: -Infinity, End: Infinity };
  const across = { ArrowDown: 1, ArrowUp: -1 };
  if (event.key === "Enter" || event.key === " ") pressBar(key);
  else if (event.key === "Escape") choose({ bar: null, page: null });
  else if (event.key in along) {
    focusBar(own, bars[Math.min(bars.length - 1, Math.max(0, bars.indexOf(own) + along[event.key]))]);
  } else if (event.key in across) {
    const row = bars.filter((bar) => Number(bar.dataset.place) === place + across[event.key]);
    const far = (bar) => Math.abs(Number(bar.dataset.bin) - bin);
    focusBar(own, row.sort((a, b) => far(a) - far(b))[0] ?? own);
  } else return;
  event.preventDefault();
}

function focusBar(own, next) {
  own.setAttribute("tabindex", "-1");
  next.setAttribute("tabindex", "0");
  next.focus();
}

// Shows words in the line above a family's bars, where they hide none of them.
function showTip(words, x, roof) {
  const tip = find(".tip");
  tip.textContent = words;
  tip.hidden = false;
  const room = find(".chart").clientWidth - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(room, x - tip.offsetWidth / 2))}px`;
  tip.style.top = `${roof - tip.offsetHeight - 1}px`;
}

function hideTip() {
  find(".tip").hidden = true;
}

// The chart's numbers for those who do not see it.
function histogramTable(chart) {
  const paperOf = ({ family }) => chart.paper?.byFamily[family.name];
  const head = ["from", "to", ...chart.series.flatMap((series) => {
    const { label } = series.family;
    return [`${label}, trials`, `${label}, %`, ...(paperOf(series) ? [`${label} in the paper, %`] : [])];
  })];
  const percent = (n, total) => fixed(total ? (100 * n) / total : NaN, 1);
  const cells = (series, bin) => [
    count(series.counts[bin]), percent(series.counts[bin], series.total),
    ...(paperOf(series) ? [fixed(paperOf(series)[bin] ?? 0, 1)] : []),
  ].map(numberCell);
  const body = chart.series[0]?.counts.map((_, bin) => make("tr", {},
    numberCell(short(chart.edges[bin])), numberCell(short(chart.edges[bin + 1])),
    chart.series.flatMap((series) => cells(series, bin))));
  return make("table", {},
    make("thead", {}, make("tr", {}, head.map((words) => make("th", { class: "number", scope: "col" }, words)))),
    make("tbody", {}, body ?? []));
}
