// Renews the page in place.
"use strict";

const main = document.getElementById("board");
const seconds = Number(main.dataset.renewSeconds);
const renewal = (text) => {
  for (const line of main.querySelectorAll(".renewal")) line.textContent = text;
};

let isRenewing = false;

async function renew() {
  if (document.hidden || isRenewing) return;
  isRenewing = true;
  try {
    // A dead tunnel accepts requests but never answers.
    const signal = AbortSignal.timeout(Math.max(seconds, 30) * 1000);
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, signal });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    // A proxy may answer instead; only our pages have a board.
    const fresh = page.getElementById("board");
    if (!fresh) throw new Error("no board");
    replace(fresh);
    document.title = page.title;
    renewal("Renewed every " + seconds + " s.");
  } catch {
    renewal("The daemon does not answer; this is its last known state. Trying again every " + seconds + " s.");
  } finally {
    isRenewing = false;
  }
}

// Keeps the focus and what was scrolled to.
function replace(fresh) {
  const active = document.activeElement;
  const link = main.contains(active) ? active.getAttribute("href") : null;
  const alike = () => [...main.querySelectorAll("a")].filter((other) => other.getAttribute("href") === link);
  const nth = alike().indexOf(active);
  const scrolled = [...main.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  main.replaceChildren(...fresh.childNodes);
  main.querySelectorAll(".scroll").forEach((box, place) => (box.scrollLeft = scrolled[place] || 0));
  const same = link && (alike()[nth] || alike()[0]);
  if (same) same.focus({ preventScroll: true });
}

renewal("Renewed every " + seconds + " s.");
setInterval(renew, seconds * 1000);
document.addEventListener("visibilitychange", renew);
