// Draws the histogram: this sweep's bars rise, the paper's hang; each of ours is a button with its numbers.

const BASE = { left: 46, right: 14, top: 26, bottom: 42 };

// The chart for what is chosen: {edges, unit, score, series, paper: {edges, series} or null, real, bar}
function drawHistogram(chart) {
  const svg = find(".chart svg");
  const width = Math.max(280, find(".chart").clientWidth);
  const height = chart.paper ? 420 : 320;
  const plot = scales(chart, width, height);
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("width", width);
  svg.setAttribute("height", height);
  const keys = "Arrow keys go from bar to bar, Enter lists a bar's trials.";
  svg.setAttribute("aria-label", `Histogram of ${chart.score.label}. ${keys}`);
  const bars = chart.series.flatMap((series, place) => ownBars(chart, plot, series, place));
  rebuild(svg, axesOf(chart, plot), marksOf(chart, plot), hanging(chart, plot), bars);
  const stops = [...svg.querySelectorAll("[data-key]")];
  const first = stops.find((bar) => bar.dataset.key === chart.bar)
    ?? stops.find((bar) => bar === document.activeElement) ?? stops[0];
  first?.setAttribute("tabindex", "0"); // one stop for Tab; arrows lead to the others
  hideTip();
}

function scales(chart, width, height) {
  const tallest = (all) => Math.max(0, ...all.flatMap((series) => series.heights));
  const up = 1.12 * tallest(chart.series) || 1;
  const down = chart.paper ? 1.05 * tallest(chart.paper.series) : 0;
  const largest = Math.max(chart.edges.at(-1), chart.paper?.edges.at(-1) ?? 0, 1.05 * (chart.real ?? 0));
  const x = (value) => BASE.left + ((width - BASE.left - BASE.right) * value) / largest;
  const y = (value) => BASE.top + ((height - BASE.top - BASE.bottom) * (up - value)) / (up + down);
  return { x, y, up, down, largest, width, height };
}

function axesOf(chart, { x, y, up, down, largest, width, height }) {
  const rule = (value) => [
    draw("line", { class: value ? "rule" : "zero", x1: x(0), x2: x(largest), y1: y(value), y2: y(value) }),
    draw("text", { class: "tick end", x: x(0) - 6, y: y(value) + 4 }, short(Math.abs(value))),
  ];
  const step = ticks(up + down, 10)[1];
  const levels = [...ticks(up, up / step), ...ticks(down, down / step).slice(1).map((value) => -value)];
  const places = ticks(largest, width < 500 ? 4 : 8);
  return [
    levels.filter((value) => value <= up && value >= -down).flatMap(rule),
    places.map((value) => draw("text", { class: "tick middle", x: x(value), y: height - 24 }, short(value))),
    draw("text", { class: "tick middle", x: (x(0) + x(largest)) / 2, y: height - 6 }, chart.score.label),
    draw("text", { class: "tick", x: 0, y: 12 },
      chart.unit === "count" ? "trials in each bin" : "percent of a family’s drawn trials"),
  ].flat();
}

// The score of real data and its thirds.
function marksOf({ real }, { x, y, up, width }) {
  if (!real) return [];
  const places = [["⅓", real / 3], ["⅔", (2 * real) / 3], [width < 500 ? "real" : "real data", real]];
  return places.flatMap(([words, value], i) => [
    draw("line", { class: i === 2 ? "real" : "rule", x1: x(value), x2: x(value), y1: y(0), y2: y(up) }),
    draw("text", { class: `tick${i === 2 ? " end" : ""}`, x: x(value) + (i === 2 ? -4 : 3), y: y(up) + 10 }, words),
  ]);
}

// Left end and width of a family's bar in a bin, which the shown families share.
function slot(edges, bin, place, n, x) {
  const [left, right] = [x(edges[bin]), x(edges[bin + 1])];
  const width = (0.86 * (right - left)) / n;
  return { x: left + 0.07 * (right - left) + place * width, width };
}

function hanging({ paper }, { x, y, down }) {
  if (!paper) return [];
  const bars = paper.series.flatMap(({ family, heights }, place) =>
    heights.map((value, bin) => value > 0 && draw("rect", {
      class: "paper", fill: colour(family), ...slot(paper.edges, bin, place, paper.series.length, x),
      y: y(0), height: y(-value) - y(0),
    })));
  const words = draw("text", { class: "tick end", x: x(paper.edges.at(-1)), y: y(-down) - 4 }, "hanging: the paper’s");
  return [...bars.filter(Boolean), words];
}

function ownBars(chart, plot, series, place) {
  const { x, y, up } = plot;
  return series.heights.map((value, bin) => {
    if (!series.counts[bin]) return null;
    const key = `${series.family.name}:${bin}`;
    const at = slot(chart.edges, bin, place, chart.series.length, x);
    const words = barWords(chart, series, bin);
    const bar = draw("g", {
      class: "bar", role: "button", tabindex: "-1", "data-key": key, "data-bin": bin, "data-place": place,
      "aria-label": words, "aria-pressed": String(key === chart.bar),
      focus: () => showTip(words, at.x + at.width / 2, y(value)), blur: hideTip,
      pointerenter: () => showTip(words, at.x + at.width / 2, y(value)), pointerleave: hideTip,
      click: () => pressBar(key), keydown: (event) => barKey(event, key),
    },
    draw("rect", { class: "reach", ...at, y: y(up), height: y(0) - y(up) }),
    draw("rect", { class: "body", fill: colour(series.family), ...at,
      y: y(value), height: Math.max(1, y(0) - y(value)) }),
    series.band && draw("line", { class: "band", x1: at.x + at.width / 2, x2: at.x + at.width / 2,
      y1: y(Math.min(up, series.band.high[bin])), y2: y(series.band.low[bin]) }));
    return bar;
  }).filter(Boolean);
}

function barWords(chart, { family, counts, total, band }, bin) {
  const span = `from ${short(chart.edges[bin])} to ${short(chart.edges[bin + 1])}`;
  const share = fixed((100 * counts[bin]) / total, 1);
  const whole = band ? `; of the whole grid ${fixed(band.low[bin], 1)} to ${fixed(band.high[bin], 1)} %` : "";
  const trials = plural(counts[bin], "trial", "trials");
  return `${family.label}, ${chart.score.sign} ${span}: ${trials}, ${share} % of ${count(total)}${whole}`;
}

function pressBar(key) {
  choose({ bar: get("bar") === key ? null : key, page: null, view: null });
}

function barKey(event, key) {
  const bars = [...find(".chart svg").querySelectorAll(".bar")];
  const own = event.currentTarget;
  const reading = (bar) => Number(bar.dataset.bin) * 100 + Number(bar.dataset.place);
  const order = bars.sort((a, b) => reading(a) - reading(b));
  const steps = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity };
  if (event.key === "Enter" || event.key === " ") pressBar(key);
  else if (event.key === "Escape") choose({ bar: null, page: null });
  else if (event.key in steps) {
    const next = order[Math.min(order.length - 1, Math.max(0, order.indexOf(own) + steps[event.key]))];
    own.setAttribute("tabindex", "-1");
    next.setAttribute("tabindex", "0");
    next.focus();
  } else return;
  event.preventDefault();
}

function showTip(words, x, y) {
  const tip = find(".tip");
  tip.textContent = words;
  tip.hidden = false;
  const room = find(".chart").clientWidth - tip.offsetWidth;
  tip.style.left = `${Math.max(0, Math.min(room, x - tip.offsetWidth / 2))}px`;
  tip.style.top = `${Math.max(0, y - tip.offsetHeight - 8)}px`;
}

function hideTip() {
  find(".tip").hidden = true;
}

// The chart's numbers for those who do not see it.
function histogramTable(chart) {
  const own = chart.series.flatMap(({ family }) => [`${family.label}, trials`, `${family.label}, %`]);
  const head = ["from", "to", ...own];
  const percent = (n, total) => fixed(total ? (100 * n) / total : NaN, 1);
  const body = chart.series[0]?.counts.map((_, bin) => make("tr", {},
    numberCell(short(chart.edges[bin])), numberCell(short(chart.edges[bin + 1])),
    chart.series.flatMap(({ counts, total }) =>
      [numberCell(count(counts[bin])), numberCell(percent(counts[bin], total))])));
  return make("table", {},
    make("thead", {}, make("tr", {}, head.map((words) => make("th", { class: "number", scope: "col" }, words)))),
    make("tbody", {}, body ?? []));
}
