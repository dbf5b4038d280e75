// Draws charts when they come into view, and hides what is not ticked.
"use strict";
(() => {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const json = (element) => JSON.parse(element.querySelector("script").textContent);
  const templates = json(document.getElementById("templates"));
  const charts = new Map(); // of each place: what is drawn there
  const waiting = new Set();

  // Values that are ticked, by the name of their group.
  let ticked = {};
  const tick = () => {
    ticked = { benchmark: new Set(), core: new Set(), seed: new Set() };
    for (const box of document.querySelectorAll("#filters input:checked")) {
      ticked[box.name].add(box.value);
    }
  };

  // See report/marks.py.
  const shown = ({ benchmark, core, seeds = [], within = [] }) => {
    const all = (names) => names.every((name) => ticked.seed.has(name));
    if (benchmark && !ticked.benchmark.has(benchmark)) return false;
    if (core && !ticked.core.has(core)) return false;
    return all(seeds) && !(within.length && all(within));
  };
  const marks = ({ benchmark, core, seeds, within }) => ({
    benchmark, core, seeds: JSON.parse(seeds ?? "[]"), within: JSON.parse(within ?? "[]"),
  });

  const set = (object, path, value) => {
    const keys = path.split(".");
    const last = keys.pop();
    keys.reduce((inner, key) => (inner[key] ??= {}), object)[last] = value;
  };

  const against = () => document.querySelector("#against input:checked")?.value ?? "steps";
  const stepOf = (place) => place.closest(".panel").querySelector(".slider input")?.valueAsNumber ?? 1;

  const dressed = (trace, bySeconds) => {
    const meta = trace.meta ?? {};
    const copy = structuredClone(trace);
    copy.visible = shown(meta);
    if (meta.z) copy.z = meta.z;
    if (bySeconds) copy.x = meta.seconds;
    if (dark.matches) for (const [path, value] of Object.entries(meta.dark ?? {})) set(copy, path, value);
    return copy;
  };

  const cursor = (step) => ({
    type: "line", x0: step, x1: step, xref: "x", yref: "paper", y0: 0.3, y1: 1,
    line: { width: 1.5, color: dark.matches ? "#ffffff" : "#1a1a1a", dash: "dot" },
  });

  const draw = (place) => {
    const chart = charts.get(place);
    const bySeconds = chart.titles !== undefined && against() === "seconds";
    const traces = chart.traces.map((trace) => dressed(trace, bySeconds));
    const layout = structuredClone(chart.layout);
    layout.template = templates[dark.matches ? "dark" : "light"];
    if (bySeconds) layout.xaxis.title.text = chart.titles.seconds;
    if (chart.moments) {
      const step = stepOf(place);
      traces.at(-1).z = chart.moments[step - 1];
      layout.shapes = [cursor(step)];
    }
    Plotly.react(place, traces, layout, { responsive: true, displayModeBar: false });
  };

  const isSeen = (place) => charts.has(place) && place.offsetParent !== null;
  const redraw = (places) => [...places].filter(isSeen).forEach(draw);

  const sight = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      sight.unobserve(target);
      charts.set(target, JSON.parse(target.nextElementSibling.textContent));
      draw(target);
    }
  }, { rootMargin: "300px" });

  // A panel is shown if its benchmark is ticked, and any row, figure or column in it is left.
  const areGone = (elements) => elements.length > 0 && [...elements].every((each) => each.hidden);
  const isEmpty = (panel) =>
    areGone(panel.querySelectorAll("tbody tr, .film, figure, .key li[data-core]")) ||
    areGone(panel.querySelectorAll("th[data-benchmark]"));

  const filter = () => {
    tick();
    for (const element of document.querySelectorAll("[data-core], [data-seeds], [data-benchmark]")) {
      element.hidden = !shown(marks(element.dataset));
    }
    for (const panel of document.querySelectorAll(".panel")) {
      panel.hidden = !shown(marks(panel.dataset)) || isEmpty(panel);
    }
    for (const section of document.querySelectorAll("main section")) {
      const panels = [...section.querySelectorAll(".panel")];
      section.hidden = panels.length > 0 && panels.every((panel) => panel.hidden);
    }
    redraw(charts.keys());
  };

  const slide = (slider) => {
    const { strip, recalled_from: from } = json(slider);
    const [frame, bar, said] = [".frame", "input", "output"].map((name) => slider.querySelector(name));
    const show = () => {
      const step = bar.valueAsNumber;
      const source = from[step - 1];
      said.textContent = `${step} of ${from.length}` + (source < 0 ? ": new" : `: recalled from step ${source + 1}`);
      frame.style.backgroundPosition = `${(100 * (step - 1)) / Math.max(1, from.length - 1)}% 0`;
      redraw(slider.parentElement.querySelectorAll(".plot"));
    };
    const picture = new Image();
    picture.onload = () => { frame.style.width = `${(84 * picture.width) / from.length / picture.height}px`; };
    picture.src = strip;
    frame.style.backgroundImage = `url(${strip})`;
    bar.addEventListener("input", () => requestAnimationFrame(show));
    show();
  };

  document.getElementById("filters").addEventListener("change", filter);
  document.getElementById("against")?.addEventListener("change", () => redraw(document.querySelectorAll("#learning .plot")));
  dark.addEventListener("change", () => redraw(charts.keys()));
  for (const figure of document.querySelectorAll("figure")) {
    figure.addEventListener("click", () => figure.classList.toggle("large"));
  }
  document.querySelectorAll(".slider").forEach(slide);
  filter();
  document.querySelectorAll(".plot").forEach((place) => sight.observe(place));
})();
