// The address: all that is chosen stands in its hash, so that a view can be shared, restored and gone back to.

const DEFAULTS = {
  grid: "0", classifier: "", step: "", families: "", score: "score", bins: "", unit: "percent", paper: "on",
  unmarked: "", range: "", bar: "", view: "trials", sort: "", page: "1", trial: "",
};
const encode = (text) => encodeURIComponent(text).replaceAll("%20", "+");
let chosen = read(location.hash);

function decode(text) {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch (error) {
    if (error instanceof URIError) return text; // an address cut short is no reason to stop
    throw error;
  }
}

// A map of raw texts; a link to a figure, which has no "=", chooses nothing.
function read(hash) {
  const pairs = hash.slice(1).split("&").map((part) => [part, part.indexOf("=")]);
  return new Map(pairs.filter(([, i]) => i > 0).map(([part, i]) => [decode(part.slice(0, i)), part.slice(i + 1)]));
}

function write(map) {
  const kept = [...map].filter(([key, value]) => value !== (DEFAULTS[key] ?? ""));
  if (!kept.length) return "#grid=0"; // an empty hash would scroll to the top
  return "#" + kept.sort().map(([key, value]) => `${encode(key)}=${value}`).join("&");
}

const get = (key) => decode(chosen.get(key) ?? DEFAULTS[key] ?? "");
const list = (key) => (chosen.get(key) ?? DEFAULTS[key] ?? "").split(",").filter(Boolean).map(decode);

// The hash with some choices changed: a text, a list of texts, or null for the default.
function hashWith(changes) {
  const next = new Map(chosen);
  for (const [key, value] of Object.entries(changes)) {
    if (value == null) next.delete(key);
    else next.set(key, Array.isArray(value) ? value.map(encode).join(",") : encode(value));
  }
  return write(next);
}

function choose(changes) {
  const hash = hashWith(changes);
  chosen = read(hash);
  show();
  if (hash !== location.hash) location.hash = hash; // its event finds nothing left to do
}

function follow() {
  const isOurs = location.hash.length < 2 || location.hash.includes("=");
  if (!isOurs || write(read(location.hash)) === write(chosen)) return;
  chosen = read(location.hash);
  show();
}
