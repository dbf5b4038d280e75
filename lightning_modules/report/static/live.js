// Loads the page again when a run has changed. Filters, switch, sliders, what is unfolded and the place are kept.
"use strict";
(() => {
  const version = document.getElementById("live").dataset.version;
  const seconds = 3;
  const boxes = () => [...document.querySelectorAll("#filters input")];
  const name = (box) => `${box.name} ${box.parentElement.textContent}`;
  const switches = () => [...document.querySelectorAll("#against input")];
  const sliders = () => [...document.querySelectorAll(".slider input")];
  const panel = (slider) => slider.closest(".panel").querySelector("h3").textContent;
  const folds = () => [...document.querySelectorAll("details")];
  const summary = (fold) => fold.querySelector("summary").textContent;

  const kept = JSON.parse(sessionStorage.getItem("kept") ?? "null");
  sessionStorage.removeItem("kept");
  if (kept) {
    for (const box of boxes()) box.checked = !kept.unticked.includes(name(box));
    document.getElementById("filters")?.dispatchEvent(new Event("change"));
    for (const choice of switches()) choice.checked = choice.value === kept.against;
    document.getElementById("against")?.dispatchEvent(new Event("change"));
    for (const slider of sliders()) {
      slider.value = kept.steps[panel(slider)] ?? slider.value;
      slider.dispatchEvent(new Event("input"));
    }
    for (const fold of folds()) fold.open = kept.unfolded.includes(summary(fold));
    scrollTo(0, kept.place);
  }

  const reload = () => {
    const unticked = boxes().filter((box) => !box.checked).map(name);
    const against = switches().find((choice) => choice.checked)?.value;
    const unfolded = folds().filter((fold) => fold.open).map(summary);
    const steps = Object.fromEntries(sliders().map((slider) => [panel(slider), slider.value]));
    sessionStorage.setItem("kept", JSON.stringify({ unticked, against, steps, unfolded, place: scrollY }));
    location.reload();
  };
  setInterval(async () => {
    const answer = await fetch("/version").catch(() => null);
    if (answer?.ok && (await answer.text()) !== version) reload();
  }, 1000 * seconds);
})();
