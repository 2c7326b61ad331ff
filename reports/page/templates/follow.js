// Follows a sweep: asks the server for state.json, and loads the page again when a newer report is there.
// Opened as a file, the page has no server to ask, and this does nothing.
(() => {
  "use strict";
  if (!location.protocol.startsWith("http")) return;
  const EVERY_MS = 3000;
  const { made } = document.documentElement.dataset;
  const line = document.querySelector(".following");
  const details = () => [...document.querySelectorAll("details")];

  // The address keeps the choices of the explorer; this keeps the place, and what was opened.
  const kept = JSON.parse(sessionStorage.getItem("view") ?? "null");
  sessionStorage.removeItem("view");
  line.textContent = kept?.line ?? "\u00a0"; // so that nothing below it moves later
  line.hidden = false;
  if (kept) {
    addEventListener("load", () => {
      details().forEach((one, n) => { one.open = kept.open[n] ?? one.open; });
      scrollTo(0, kept.top);
    });
  }

  async function look() {
    const answer = await fetch("state.json", { cache: "no-store" }).catch(() => null);
    if (!answer) return; // the server has ended; another one may begin
    if (!answer.ok) {
      clearInterval(looking); // a server that knows nothing of sweeps
      line.hidden = true;
      return;
    }
    const state = await answer.json();
    if (state.made !== made) {
      const view = { top: scrollY, line: line.textContent, open: details().map((one) => one.open) };
      sessionStorage.setItem("view", JSON.stringify(view));
      location.reload();
      return;
    }
    line.textContent = `State of the sweep: ${state.state}. ${state.ended} of ${state.declared} trials have ended. `
      + "This page loads new results by itself.";
  }

  const looking = setInterval(look, EVERY_MS);
  look();
})();
