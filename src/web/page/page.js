// Renews the page in place and adds arrow keys to calendars.
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
    const text = await answer.text();
    // A proxy may answer instead; only our pages have a board.
    const fresh = new DOMParser().parseFromString(text, "text/html").getElementById("board");
    if (!fresh) throw new Error("no board");
    if (!replace(fresh)) return renewal("Not renewed while you choose a day.");
    document.title = new DOMParser().parseFromString(text, "text/html").title;
    renewal("Renewed every " + seconds + " s.");
  } catch {
    renewal("The daemon does not answer; this is what was known last. Trying again every " + seconds + " s.");
  } finally {
    isRenewing = false;
  }
}

// Keeps the focus; does nothing while a day is being chosen.
function replace(fresh) {
  const active = document.activeElement;
  if (active && active.matches("input, button")) return false;
  const link = main.contains(active) ? active.getAttribute("href") : null;
  const alike = () => [...main.querySelectorAll("a")].filter((other) => other.getAttribute("href") === link);
  const nth = alike().indexOf(active);
  const scrolled = [...main.querySelectorAll(".scroll")].map((box) => box.scrollLeft);
  main.replaceChildren(...fresh.childNodes);
  main.querySelectorAll(".scroll").forEach((box, place) => (box.scrollLeft = scrolled[place] || 0));
  if (link) {
    const same = alike()[nth] || alike()[0];
    if (same) same.focus({ preventScroll: true });
  }
  prepare();
  return true;
}

// The newest day of each calendar is a Tab stop; arrow keys move from there.
function prepare() {
  for (const calendar of main.querySelectorAll("table.calendar")) {
    const newest = calendar.querySelector("tbody tr td:last-child a");
    if (newest) newest.tabIndex = 0;
  }
}

// Left and right move by a day, up and down by a month.
function neighbour(cell, key) {
  const row = cell.parentElement;
  const rows = [...row.parentElement.rows];
  if (key === "ArrowUp" || key === "ArrowDown") {
    const other = rows[rows.indexOf(row) + (key === "ArrowUp" ? -1 : 1)];
    return other && other.cells[cell.cellIndex] && other.cells[cell.cellIndex].querySelector("a");
  }
  // The newest month is the first row.
  const days = rows.reverse().flatMap((month) => [...month.querySelectorAll("a")]);
  return days[days.indexOf(cell.querySelector("a")) + (key === "ArrowLeft" ? -1 : 1)];
}

main.addEventListener("keydown", (event) => {
  // The browser uses these combinations.
  if (event.altKey || event.ctrlKey || event.metaKey || event.shiftKey) return;
  const cell = event.target.closest && event.target.closest("table.calendar td");
  if (!cell || !["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].includes(event.key)) return;
  const link = neighbour(cell, event.key);
  if (!link) return;
  event.preventDefault();
  // Gaps and partial days stay Tab stops.
  if (!event.target.matches(".gap, .partial")) event.target.tabIndex = -1;
  link.tabIndex = 0;
  link.focus();
});

prepare();
renewal("Renewed every " + seconds + " s.");
setInterval(renew, seconds * 1000);
document.addEventListener("visibilitychange", renew);
