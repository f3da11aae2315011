// Keeps a page with `data-stream` up to date by server-sent events, counts its ages on, and says when it is not.
(() => {
  "use strict";
  const root = document.querySelector("[data-stream]");
  if (!root || !window.EventSource) return;
  const SILENT_MS = 6000;
  const AGAIN_MS = 5000;
  let source = null;
  let again = 0;
  let isOver = false;
  let heardAt = 0;
  let drawnAt = performance.now();

  function show(state) {
    for (const one of document.querySelectorAll("[data-when]")) {
      one.hidden = !one.dataset.when.split(" ").includes(state);
    }
  }

  // As `waited` in pages/rendering.py.
  function waited(seconds) {
    const whole = Math.max(0, Math.floor(seconds));
    const two = (number) => String(number).padStart(2, "0");
    if (whole < 60) return `${whole} s`;
    if (whole < 3600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
    return `${Math.floor(whole / 3600)} h ${two(Math.floor(whole / 60) % 60)} min`;
  }

  function age() {
    const more = (performance.now() - drawnAt) / 1000;
    for (const one of root.querySelectorAll("[data-age]")) {
      one.textContent = waited(Number(one.dataset.age) + more);
    }
  }

  // Whoever was on a link stays on it, where it is still there.
  function draw(text) {
    const focused = root.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const scrolled = [...root.querySelectorAll(".table-wrap")].map((one) => one.scrollLeft);
    root.innerHTML = text;
    drawnAt = performance.now();
    root.querySelectorAll(".table-wrap").forEach((one, at) => { one.scrollLeft = scrolled[at] || 0; });
    if (focused) {
      const same = [...root.querySelectorAll("a")].find((one) => one.getAttribute("href") === focused);
      if (same) same.focus({ preventScroll: true });
    }
  }

  function heard(state) {
    heardAt = performance.now();
    show(state);
  }

  function close() {
    clearTimeout(again);
    if (source) source.close();
    source = null;
  }

  function open() {
    close();
    heardAt = performance.now();
    source = new EventSource(root.dataset.stream);
    source.addEventListener("calls", (event) => { draw(event.data); heard("live"); });
    source.addEventListener("beat", () => heard("live"));
    source.addEventListener("away", () => heard("away"));
    source.addEventListener("ended", () => { isOver = true; close(); show("ended"); });
    source.addEventListener("error", () => {
      show("late");
      // The browser tries again by itself, unless it was refused.
      if (source && source.readyState === EventSource.CLOSED) again = setTimeout(open, AGAIN_MS);
    });
  }

  setInterval(() => {
    age();
    if (source && performance.now() - heardAt > SILENT_MS) show("late");
  }, 1000);
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else if (!isOver) open(); });
  if (!document.hidden) open();
})();
