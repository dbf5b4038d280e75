// Loads the page again when a run has changed; what was not ticked stays so, and the place is kept.
"use strict";
(() => {
  const version = document.getElementById("live").dataset.version;
  const seconds = 3;
  const boxes = () => [...document.querySelectorAll("#filters input")];
  const name = (box) => `${box.name} ${box.parentElement.textContent}`;

  const kept = JSON.parse(sessionStorage.getItem("kept") ?? "null");
  sessionStorage.removeItem("kept");
  if (kept) {
    for (const box of boxes()) box.checked = !kept.unticked.includes(name(box));
    document.getElementById("filters")?.dispatchEvent(new Event("change"));
    scrollTo(0, kept.place);
  }

  const reload = () => {
    const unticked = boxes().filter((box) => !box.checked).map(name);
    sessionStorage.setItem("kept", JSON.stringify({ unticked, place: scrollY }));
    location.reload();
  };
  setInterval(async () => {
    const answer = await fetch("/version").catch(() => null);
    if (answer?.ok && (await answer.text()) !== version) reload();
  }, 1000 * seconds);
})();
